"""How much of their throughput honest callers keep while others mean harm, and what the gateway spends on those.

Run: python -m loadtest.abuse [--rounds 5] [--seconds 3] [--only slow_head …]; `make bench-abuse`. Each round measures
honest callers alone, then beside clients of each kind (tests/parts/hostile_clients.py), who come back when they are
ended: in a closed loop (wrk: as many calls as the gateway takes) and at a fixed rate. Attackers share the load's core
at the lowest priority, so that they take nothing from honest callers but what the gateway does for them.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.measure import cpu_s, process_tree, rss_bytes, run_wrk
from loadtest.peers import Bench, Meshway
from tests.parts.hostile_clients import KINDS, LARGE, HostileClients

# By HTTP/2 each asks ten times at once: the service and the system must have descriptors for all of it.
CLIENTS: Final = dict.fromkeys(KINDS, 2_000) | {"never_reading_http2": 400}
CONNECTIONS: Final = 32
RATE_PER_S: Final = 2_000.0
LEAST: Final = 0.9  # of what honest callers have alone
CEILING: Final = 512 << 20  # bytes of a worker
GONE_S: Final = 60.0
LEFT: Final = 4 * CONNECTIONS  # descriptors of a worker after honest callers
ALONE_S: Final = 2.0
SETTLED_S, LOOK_S, QUIET = 10.0, 0.5, 0.1  # of a core


@dataclass(frozen=True)
class Honest:
    """per_s: calls a second, as fast as they were answered. cpu_us: of the gateway, a call of these. in_time: of a
    fixed rate, the share that was answered well; p99_ms: of those. taken: of a core, what it takes without them.
    """

    per_s: float
    cpu_us: float
    in_time: float
    p99_ms: float
    taken: float
    memory: int


Pairs = Sequence[tuple[Honest, Honest]]


def measure(gateway: Meshway, worker: int, bench: Bench, seconds: int) -> Honest:
    """worker: its process. Raises RuntimeError where an honest call fails."""
    began, started = cpu_s([worker]), time.monotonic()
    time.sleep(ALONE_S)
    taken = (cpu_s([worker]) - began) / (time.monotonic() - started)
    run = run_wrk(
        gateway.url + "/",
        worker,
        seconds=seconds,
        connections=CONNECTIONS,
        core=bench.load_core,
        script=None,
        headers=(),
    )
    if run.errors:
        raise RuntimeError(f"{run.errors} honest calls of {run.requests} failed")
    steady = steady_load(gateway.port, bench.load_core, seconds)
    in_time = steady["good"] / steady["sent"]
    return Honest(run.requests_per_s, run.cpu_us, in_time, steady["p99_ms"], taken, rss_bytes(worker))


def steady_load(port: int, core: int, seconds: int) -> dict[str, float]:
    """By a process of its own, on the load's core."""
    command = [sys.executable, "-m", "loadtest.open_loop", str(port), "--rate", str(RATE_PER_S)]
    text = subprocess.run(
        ["taskset", "-c", str(core), *command, "--seconds", str(seconds)],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    ).stdout
    words = text.splitlines()[-1].split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)}


def settle(worker: int) -> None:
    """Two thousand that come at once are a burst; what is measured is that they are there. An attack that goes on
    taking time of the gateway is measured as it is."""
    give_up = time.monotonic() + SETTLED_S
    while time.monotonic() < give_up:
        began = cpu_s([worker])
        time.sleep(LOOK_S)
        if cpu_s([worker]) - began < QUIET * LOOK_S:
            return


def wait_until_gone(worker: int) -> None:
    """Nothing of an attack stays open."""
    give_up = time.monotonic() + GONE_S
    while (left := len(list(Path(f"/proc/{worker}/fd").iterdir()))) > LEFT:
        if time.monotonic() > give_up:
            raise RuntimeError(f"{left} descriptors are still open")
        time.sleep(0.2)


def compare(kinds: Sequence[str], rounds: int, seconds: int) -> dict[str, Pairs]:
    """By kind, of each round: alone, and beside the attack."""
    found: dict[str, list[tuple[Honest, Honest]]] = {kind: [] for kind in kinds}
    bench = Bench()
    try:
        (bench.dir / "bytes").mkdir()
        with (bench.dir / "bytes" / str(LARGE)).open("wb") as large:
            large.truncate(LARGE)
        gateway = bench.meshway("bare")
        (worker,) = (pid for pid in process_tree(gateway.pid) if pid != gateway.pid)
        before = ("taskset", "-c", str(bench.load_core), "nice", "-n", "19")
        for number in range(rounds):
            for kind in kinds if number % 2 else kinds[::-1]:
                alone = measure(gateway, worker, bench, seconds)
                clients = HostileClients(
                    bench.dir, kind, gateway.port, CLIENTS[kind], "bench", again=True, before=before
                )
                try:
                    clients.wait_ready(120.0)
                    settle(worker)
                    found[kind].append((alone, measure(gateway, worker, bench, seconds)))
                finally:
                    clients.stop()
                wait_until_gone(worker)
                print(f"  {kind}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    finally:
        bench.close()
    return dict(found)


def kept(pairs: Pairs) -> float:
    """Of their throughput, the median over the rounds."""
    return statistics.median(beside.per_s / alone.per_s for alone, beside in pairs)


def misses(kind: str, pairs: Pairs) -> list[str]:
    found = []
    if kept(pairs) < LEAST:
        found.append(f"{kind}: honest callers keep {kept(pairs):.2f} of their throughput, less than {LEAST}")
    in_time = statistics.median(beside.in_time for _, beside in pairs)
    if in_time < LEAST:
        found.append(f"{kind}: {in_time:.2f} of a fixed rate is answered, less than {LEAST}")
    memory = max(beside.memory for _, beside in pairs)
    if memory > CEILING:
        found.append(f"{kind}: the worker takes {memory >> 20} MiB, more than {CEILING >> 20}")
    return found


def table(found: dict[str, Pairs]) -> str:
    def median(pairs: Pairs, of: Callable[[Honest], float]) -> str:
        alone, beside = (statistics.median(of(pair[at]) for pair in pairs) for at in (0, 1))
        return f"{alone:.3g} → {beside:.3g}"

    lines = [
        f"| clients | throughput kept | CPU µs a call | answered of {RATE_PER_S:.0f}/s | p99 ms | "
        "CPU without honest callers | worker MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, pairs in found.items():
        ratios = sorted(beside.per_s / alone.per_s for alone, beside in pairs)
        lines.append(
            f"| {CLIENTS[kind]:,} {kind} | **{kept(pairs):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f}) "
            f"| {median(pairs, lambda h: h.cpu_us)} | {median(pairs, lambda h: h.in_time)} "
            f"| {median(pairs, lambda h: h.p99_ms)} | {median(pairs, lambda h: h.taken)} "
            f"| {max(beside.memory for _, beside in pairs) >> 20} |"
        )
    missed = [line for kind, pairs in found.items() for line in misses(kind, pairs)]
    return "\n".join([*lines, "", f"Target ≥ {LEAST} kept: {'; '.join(missed) + ': MISSED' if missed else 'met'}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS))
    options = parser.parse_args()
    print(table(compare(options.only, options.rounds, options.seconds)))


if __name__ == "__main__":
    main()

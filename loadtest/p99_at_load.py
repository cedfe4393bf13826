"""p99 at 70 % load beside Envoy's, open loop: calls leave by a Poisson clock, whoever is late is late for all of them.

A proxy's capacity is what its core has time for: a second over what a call costs it at full load, measured first. Each
is then asked at 70 % of its own, and both at 70 % of the slower one's. The load is loadtest/open_loop.py in a process
of its own on the other core, beside the service; how busy that core was stands beside, for what waits there is no
proxy's doing.
"""

import dataclasses
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from loadtest.measure import cpu_s, process_tree, run_wrk
from loadtest.peers import Bench, Peer
from loadtest.targets import at_most

LOAD: Final = 0.7
CONNECTIONS: Final = 512  # at most: at full rate those of some 15 ms
ON_TIME: Final = 0.95
AGAIN: Final = 1  # late rounds for each that is asked for
LEAST_ROUNDS: Final = 3
SLOWEST: Final = 20  # times as long as meant: then the machine is not fit to measure on
OWN, SAME = "70 % of its own", "70 % of the slower one's"


@dataclass(frozen=True)
class Latency:
    """per_s: calls, in fact; meant: by the clock. busy: of a core, the proxy; load_core: the load and the service."""

    per_s: float
    meant: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    failed: float
    busy: float
    load_core: float


def capacity(peer: Peer, bench: Bench, seconds: int) -> float:
    """Calls a second."""
    run = run_wrk(
        peer.url + "/", peer.pid, seconds=seconds, connections=64, core=bench.load_core, script=None, headers=()
    )
    return 1e6 / run.cpu_us


def at_rate(peer: Peer, bench: Bench, rate: float, seconds: int, seed: int) -> Latency:
    ours, service = process_tree(peer.pid), process_tree(bench.upstream.pid)
    command = ["taskset", "-c", str(bench.load_core), sys.executable, "-m", "loadtest.open_loop", str(peer.port)]
    command += ["--rate", f"{rate:.0f}", "--seconds", str(seconds), "--seed", str(seed)]
    command += ["--connections", str(CONNECTIONS)]
    spent, served = cpu_s(ours), cpu_s(service)
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds * SLOWEST + 10).stdout
    words = text.splitlines()[-1].split()
    told = {name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    took_s, loaded_s = told["took_s"], cpu_s(service) - served + told["own_s"]
    return Latency(
        told["sent"] / took_s,
        rate,
        told["p50_ms"],
        told["p99_ms"],
        told["max_ms"],
        told["failed"],
        (cpu_s(ours) - spent) / took_s,
        loaded_s / took_s,
    )


Found = dict[tuple[str, str], list[Latency]]
"""What came of each load of each proxy, by round."""


def measure(bench: Bench, rounds: int, seconds: int) -> tuple[dict[str, float], Found, int]:
    """Calls a second of each proxy at full load, what came of it, and how many rounds were taken again.

    A round is taken again where one of its runs was late: an open loop that cannot keep its pace measures itself.
    """
    peers: dict[str, Peer] = {"meshway": bench.meshway("bare"), "envoy": bench.envoy("bare")}
    full = {name: capacity(peer, bench, seconds) for name, peer in peers.items()}
    found: Found = {}
    late = 0
    for number in range(rounds * (1 + AGAIN)):
        once: dict[tuple[str, str], Latency] = {}
        for name in peers if number % 2 else reversed(peers):
            for load, rate in ((OWN, LOAD * full[name]), (SAME, LOAD * min(full.values()))):
                once[load, name] = at_rate(peers[name], bench, rate, seconds, number)
        if all(run.per_s >= ON_TIME * run.meant for run in once.values()):
            for key in sorted(once):
                found.setdefault(key, []).append(once[key])
            if len(found[key]) == rounds:
                break
        else:
            late += 1
    return full, found, late


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md."""
    bench = Bench()
    try:
        full, found, late = measure(bench, rounds, seconds)
    finally:
        bench.close()
    lines = [
        "| load | proxy | calls a second (meant) | p50 ms | p99 ms (min–max) | most ms | failed "
        "| its core | load's core |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (load, name), runs in found.items():
        rate = LOAD * (full[name] if load == OWN else min(full.values()))
        p99 = sorted(run.p99_ms for run in runs)
        lines.append(
            f"| {load} | {name} | {statistics.median(run.per_s for run in runs):,.0f} ({rate:,.0f}) "
            f"| {statistics.median(run.p50_ms for run in runs):.2f} "
            f"| **{statistics.median(p99):.2f}** ({p99[0]:.2f}–{p99[-1]:.2f}) | {max(run.max_ms for run in runs):.1f} "
            f"| {sum(run.failed for run in runs):.0f} | {statistics.median(run.busy for run in runs):.0%} "
            f"| {statistics.median(run.load_core for run in runs):.0%} |"
        )
    told = f"{late} further rounds did not count: in one of their runs the machine had no time for the rate meant."
    targets = []
    for load in (OWN, SAME):
        pairs = list(zip(found.get((load, "meshway"), ()), found.get((load, "envoy"), ()), strict=True))
        share = statistics.median(ours.p99_ms / theirs.p99_ms for ours, theirs in pairs) if pairs else 0.0
        target = at_most(f"p99 at {load}", 1.0, share, "× envoy's")
        if len(pairs) < min(LEAST_ROUNDS, rounds):
            target = dataclasses.replace(target, reached=f"nothing: {len(pairs)} rounds count", is_met=False)
        targets.append(str(target))
    return "\n".join([*lines, *(["", told] if late else []), "", *targets])

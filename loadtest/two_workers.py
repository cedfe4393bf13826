"""Whether a second worker on a second core carries twice as much, on a machine that has two cores for all.

Where load and service share the cores with the gateway, its rate with two workers is what they leave it. So the whole
machine is doubled instead: first one core with one worker, one load and one service on it; then two cores with just
that on each, the two workers below one supervisor. Whatever workers have in common (locks, counts, one queue of new
connections, the supervisor) then shows as less than twice the rate.

On one core nothing goes from a core to another, while of two half of it does, which is dearer for every program. So
what a call costs with two workers is held against one that has a load and a service on each core, as the two have, and
half of its calls from afar.

What two busy cores take from each other (caches, memory, threads of one core, a clock that falls, other guests of the
machine) shows likewise, for every program. nginx and Envoy, whose workers share next to nothing, go through the same in
the same rounds: what they lose is the machine's, and what we lose beyond it is ours.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.measure import Run, cpu_s, process_tree, run_wrk
from loadtest.peers import Bench, Meshway, Peer
from loadtest.targets import Target, at_least, at_most

CORES: Final = (0, 1)
CONNECTIONS: Final = 64  # of each load
LEAST: Final = 1.9
MOST_DEARER: Final = 2.0 / LEAST
OURS: Final = "meshway"
MACHINE: Final = "nginx"
LOOKED_S: Final = 2
_SERVICES: Final = """
kind: Service
apiVersion: meshway/v1
metadata: {{name: upstream, namespace: bench}}
spec: {{type: static, endpoints: [{endpoints}]}}
"""


@dataclass(frozen=True)
class Carried:
    """shares: of the calls' CPU time, of each worker; connections: that each had accepted."""

    per_s: float
    cpu_us: float
    errors: int
    p99_ms: float
    shares: tuple[float, ...] = ()
    connections: tuple[int, ...] = ()


@dataclass(frozen=True)
class Compared:
    """Of one proxy in one round: a core with everything on it; a worker there, with load and service on both; both
    cores with everything on them."""

    one: Carried
    spread: Carried
    two: Carried

    @property
    def rate(self) -> float:
        return self.two.per_s / self.one.per_s

    @property
    def cost(self) -> float:
        return self.two.cpu_us / self.spread.cpu_us


Rounds = Mapping[str, list[Compared]]


def workers_of(peer: Peer) -> list[int]:
    """Processes; of one that has threads for workers, these."""
    processes = sorted(pid for pid in process_tree(peer.pid) if pid != peer.pid)
    if processes:
        return processes
    threads = Path(f"/proc/{peer.pid}/task").iterdir()
    return sorted(int(each.name) for each in threads if (each / "comm").read_text().startswith("wrk:worker"))


def sockets(pid: int) -> int:
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            count += str(each.readlink()).startswith("socket:")
    return count


def load(peer: Peer, core: int, seconds: int) -> Run:
    return run_wrk(
        peer.url + "/", peer.pid, seconds=seconds, connections=CONNECTIONS, core=core, script=None, headers=()
    )


def carried(peer: Peer, cores: tuple[int, ...], seconds: int) -> Carried:
    """A load on each of the cores at once."""
    workers = workers_of(peer) if isinstance(peer, Meshway) else []
    tree = process_tree(peer.pid)
    before, of_each, open_before = cpu_s(tree), [cpu_s([pid]) for pid in workers], [sockets(pid) for pid in workers]
    with ThreadPoolExecutor(len(cores)) as pool:
        running = [pool.submit(load, peer, core, seconds) for core in cores]
        with suppress(TimeoutError):
            running[0].result(seconds / 2)
        held = [sockets(pid) - opened for pid, opened in zip(workers, open_before, strict=True)]
        runs = [each.result() for each in running]
    spent = [cpu_s([pid]) - began for pid, began in zip(workers, of_each, strict=True)]
    return Carried(
        sum(run.requests_per_s for run in runs),
        (cpu_s(tree) - before) * 1e6 / sum(run.requests for run in runs),
        sum(run.errors for run in runs),
        max(run.p99_ms for run in runs),
        tuple(each / max(sum(spent), 1e-9) for each in spent),
        tuple(held),
    )


def lock_calls(gateway: Peer) -> str:
    """System calls that take locks, of both workers under load: there is to be none for a call."""
    if shutil.which("strace") is None:
        return "strace is not here, so nobody looked for locks."
    command = ["timeout", "-s", "INT", str(LOOKED_S), "strace", "-f", "-qq", "-c", "-e", "trace=futex,flock"]
    for pid in workers_of(gateway):
        command += ["-p", str(pid)]
    with ThreadPoolExecutor(len(CORES)) as pool:
        running = [pool.submit(load, gateway, core, LOOKED_S + 1) for core in CORES]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        requests = sum(each.result().requests for each in running)
    calls = sum(int(count) for count in re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+).*(?:futex|flock)$", told, re.M))
    return f"System calls for locks (futex, flock) of both workers in {LOOKED_S} s and {requests:,} calls: {calls}."


class Doubled:
    """Each proxy with one worker on the first core, before a service there; the same before one on each core; and with
    a worker on each."""

    def __init__(self) -> None:
        self._benches = tuple(Bench(proxy_core=core, load_core=core) for core in CORES)
        try:
            self.proxies = self._start()
            for _, _, two in self.proxies.values():
                for core, worker in zip(CORES, workers_of(two), strict=True):
                    os.sched_setaffinity(worker, {core})
        except BaseException:
            self.close()
            raise

    def _start(self) -> dict[str, tuple[Peer, Peer, Peer]]:
        (first, second), cores = self._benches, ",".join(map(str, CORES))
        ports = tuple(bench.upstream_port for bench in self._benches)
        ours = first.meshway("bare"), second.meshway("bare", cores="0"), first.meshway("bare", workers=2, cores=cores)
        places = ", ".join(f"{{address: 127.0.0.1, port: {port}}}" for port in ports)
        for gateway in ours[1:]:
            gateway.apply(_SERVICES.format(endpoints=places))
        return {
            OURS: ours,
            MACHINE: (
                first.nginx("bare"),
                first.nginx("bare", upstreams=ports),
                first.nginx("bare", workers=2, cores=cores, upstreams=ports),
            ),
            "envoy": (
                first.envoy("bare"),
                first.envoy("bare", upstreams=ports),
                first.envoy("bare", workers=2, cores=cores, upstreams=ports),
            ),
        }

    def round(self, seconds: int, *, is_turned: bool) -> dict[str, Compared]:
        compared = {}
        for name in reversed(self.proxies) if is_turned else self.proxies:
            one, spread, two = self.proxies[name]
            compared[name] = Compared(
                carried(one, CORES[:1], seconds), carried(spread, CORES, seconds), carried(two, CORES, seconds)
            )
        return compared

    def close(self) -> None:
        for bench in self._benches:
            bench.close()


def measure(rounds: int, seconds: int) -> tuple[Rounds, str]:
    doubled = Doubled()
    try:
        doubled.round(1, is_turned=False)  # warms up
        found = []
        for number in range(rounds):
            found.append(doubled.round(seconds, is_turned=number % 2 == 1))
            print(f"  two workers: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        return {name: [each[name] for each in found] for name in doubled.proxies}, lock_calls(doubled.proxies[OURS][2])
    finally:
        doubled.close()


def _median(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def _row(name: str, of: list[Compared]) -> str:
    ones, spread, twos = [each.one for each in of], [each.spread for each in of], [each.two for each in of]
    cells = [
        name,
        _median([each.per_s for each in ones], 0),
        _median([each.per_s for each in twos], 0),
        f"**{_median([each.rate for each in of], 2)}**",
        _median([each.cpu_us for each in ones], 1),
        _median([each.cpu_us for each in spread], 1),
        _median([each.cpu_us for each in twos], 1),
        f"**{_median([1 / each.cost for each in of], 2)}**",
        ", ".join(f"{statistics.median(each.p99_ms for each in side):.1f}" for side in (ones, twos)),
        str(sum(each.errors for each in (*ones, *spread, *twos))),
    ]
    return f"| {' | '.join(cells)} |"


def _beyond(rounds: Rounds, what: Callable[[Compared], float]) -> float:
    """Ours as a multiple of the machine's own, within the rounds."""
    pairs = zip(rounds[OURS], rounds[MACHINE], strict=True)
    return statistics.median(what(ours) / what(machine) for ours, machine in pairs)


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md."""
    found, locks = measure(rounds, seconds)
    return "\n".join([*told(found), locks, "", *map(str, targets(found))])


def told(found: Rounds) -> list[str]:
    ours, machine = found[OURS], found[MACHINE]
    shares = "; ".join(
        " and ".join(f"{share:.0%} of {held}" for share, held in zip(two.shares, two.connections, strict=True))
        for two in (each.two for each in ours)
    )
    return [
        "| | calls a second, one | two | two ÷ one | CPU µs/request, one | one, spread | two "
        "| calls a CPU second, two ÷ one, spread | p99 ms, one, two | errors |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(name, of) for name, of in found.items()),
        "",
        "One: a core with a worker, a load and a service on it; two: two cores with just that on each; one, spread: a "
        "worker on one of them, load and service on both, so that half of its calls come from afar, as of two.",
        f"The machine's own loss, by {MACHINE}: {2 - statistics.median(each.rate for each in machine):.2f} of 2 cores "
        f"in rate, {statistics.median(each.cost for each in machine) - 1:+.1%} of a call's CPU time. Ours as a "
        f"multiple of {MACHINE}'s, within the rounds: rate {_beyond(found, _rate):.3f}, CPU time "
        f"{_beyond(found, _cost):.3f}.",
        "The kernel spreads connections by their address (SO_REUSEPORT); of the work, and of sockets, each of our "
        f"workers had, by round: {shares}.",
    ]


def targets(found: Rounds) -> list[Target]:
    ours = found[OURS]
    return [
        at_least("rate", LEAST, statistics.median(map(_rate, ours)), "× one worker's"),
        at_most("cost", MOST_DEARER, statistics.median(map(_cost, ours)), "× one worker's, spread"),
        at_least(f"rate beside {MACHINE}", LEAST / 2, _beyond(found, _rate), f"× {MACHINE}'s own gain"),
    ]


def _rate(compared: Compared) -> float:
    return compared.rate


def _cost(compared: Compared) -> float:
    return compared.cost

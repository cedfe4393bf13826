"""Whether a second worker on a second core carries twice as much, on a machine that has two cores for all.

Where load and service share the cores with the gateway, its rate with two workers is what they leave it. So the whole
machine is doubled instead: first one core with one worker, one load and one service on it; then two cores with just
that on each, the two workers below one supervisor. Whatever workers have in common (locks, counts, one queue of new
connections, the supervisor) then shows as less than twice the rate, and what a call costs must stay the same.
"""

import re
import shutil
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.measure import Run, cpu_s, process_tree, run_wrk
from loadtest.peers import Bench, Meshway
from loadtest.targets import at_least, at_most

CORES: Final = (0, 1)
CONNECTIONS: Final = 64  # of each load
LEAST: Final = 1.9
MOST_DEARER: Final = 2.0 / LEAST
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
    shares: tuple[float, ...] = (1.0,)
    connections: tuple[int, ...] = (CONNECTIONS,)


def workers_of(gateway: Meshway) -> list[int]:
    return sorted(pid for pid in process_tree(gateway.pid) if pid != gateway.pid)


def sockets(pid: int) -> int:
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            count += str(each.readlink()).startswith("socket:")
    return count


def load(gateway: Meshway, core: int, seconds: int) -> Run:
    return run_wrk(
        gateway.url + "/", gateway.pid, seconds=seconds, connections=CONNECTIONS, core=core, script=None, headers=()
    )


def carried(gateway: Meshway, cores: tuple[int, ...], seconds: int) -> Carried:
    """A load on each of the cores at once."""
    tree, workers = process_tree(gateway.pid), workers_of(gateway)
    before, of_each, open_before = cpu_s(tree), [cpu_s([pid]) for pid in workers], [sockets(pid) for pid in workers]
    with ThreadPoolExecutor(len(cores)) as pool:
        running = [pool.submit(load, gateway, core, seconds) for core in cores]
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


def lock_calls(gateway: Meshway) -> str:
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


def measure(rounds: int, seconds: int) -> tuple[list[Carried], list[Carried], str]:
    first, second = (Bench(proxy_core=core, load_core=core) for core in CORES)
    try:
        one = first.meshway("bare")
        two = first.meshway("bare", workers=2, cores=",".join(map(str, CORES)))
        places = (f"{{address: 127.0.0.1, port: {bench.upstream_port}}}" for bench in (first, second))
        two.apply(_SERVICES.format(endpoints=", ".join(places)))
        for core, pid in zip(CORES, workers_of(two), strict=True):
            Bench.pin(pid, core)
        singles, doubles = [], []
        for number in range(rounds + 1):
            single, double = carried(one, CORES[:1], seconds), carried(two, CORES, seconds)
            if number:  # the first one warms up
                singles.append(single)
                doubles.append(double)
        return singles, doubles, lock_calls(two)
    finally:
        first.close()
        second.close()


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md."""
    singles, doubles, locks = measure(rounds, seconds)
    lines = ["| | calls a second (min–max) | CPU µs/request | p99 ms | errors |", "|---|---|---|---|---|"]
    for name, runs in (("one worker, one core for all", singles), ("two workers, two cores for all", doubles)):
        rates = sorted(run.per_s for run in runs)
        lines.append(
            f"| {name} | {statistics.median(rates):,.0f} ({rates[0]:,.0f}–{rates[-1]:,.0f}) "
            f"| {statistics.median(run.cpu_us for run in runs):.1f} "
            f"| {statistics.median(run.p99_ms for run in runs):.1f} | {sum(run.errors for run in runs)} |"
        )
    pairs = list(zip(singles, doubles, strict=True))
    shares = "; ".join(
        " and ".join(f"{share:.0%} of {held}" for share, held in zip(double.shares, double.connections, strict=True))
        for double in doubles
    )
    targets = (
        at_least("rate", LEAST, statistics.median(two.per_s / one.per_s for one, two in pairs), "× one worker's"),
        at_most(
            "cost", MOST_DEARER, statistics.median(two.cpu_us / one.cpu_us for one, two in pairs), "× one worker's"
        ),
    )
    said = [
        "Both cores have all on them (a worker, a load, a service), so that the second core brings what the first had.",
        "The kernel spreads connections by their address (SO_REUSEPORT); of the work, and of sockets, each worker had, "
        f"by round: {shares}.",
        locks,
    ]
    return "\n".join([*lines, "", *said, "", *map(str, targets)])

"""A machine of one core, and of two, with a worker, a load and a service on each; what they carry, and at which price.

With one core nothing goes from a core to another. With two half of it does, where the kernel spreads connections by
their addresses, and whoever sends to a program that sleeps on another core interrupts that core: load, service and
proxy pay for it alike. So there are two machines of two cores: `apart`, where the kernel gives each connection to the
worker of its core (steering.py), so that cores have only that in common what workers share; and `between`, as it
spreads them by itself.

All programs are of one session: Linux shares a core among sessions before it does among processes (autogroup), so who
has one to itself is measured by another rule.
"""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.measure import Run, cpu_s, process_tree, run_wrk
from loadtest.peers import Bench, Meshway, Peer
from loadtest.steering import steer

CORES: Final = (0, 1)
CONNECTIONS: Final = 64  # of each load
OURS: Final = "meshway"
MACHINE: Final = "nginx"
APART: Final = "apart"
BETWEEN: Final = "between"
DEAR: Final = "dear, between"
LOOKED_S: Final = 2
_DEAR_PATH: Final = "/files/words"
_COMPRESSED: Final = """
kind: Route
apiVersion: meshway/v1
metadata: {name: compressed, namespace: bench}
spec:
  listeners: [edge]
  rules: [{match: [{path: {prefix: /files/}}], destinations: [{service: upstream}], compression: {}}]
"""


@dataclass(frozen=True)
class Carried:
    """all_us: of a call, of the cores, whoever spent it or let it pass. interrupts: that a core sent to another, of a
    call. shares: of the calls' CPU time, of each worker; connections: that each had."""

    per_s: float
    cpu_us: float
    errors: int
    p99_ms: float
    all_us: float
    interrupts: float
    shares: tuple[float, ...] = ()
    connections: tuple[int, ...] = ()

    @property
    def others_us(self) -> float:
        """Of load and service, for a call."""
        return self.all_us - self.cpu_us


@dataclass(frozen=True)
class Compared:
    """Of one proxy in one round: a core with everything on it, and two of them."""

    one: Carried
    two: Carried

    @property
    def rate(self) -> float:
        return self.two.per_s / self.one.per_s

    @property
    def cost(self) -> float:
        return self.two.cpu_us / self.one.cpu_us

    @property
    def most(self) -> float:
        """The rate that two workers would have whose calls got no dearer, beside load and service as these became."""
        return 2 * self.one.all_us / (self.one.cpu_us + self.two.others_us)


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


def interrupts() -> int:
    """That cores have sent to each other so that they look for work, where the kernel counts them by this name."""
    found = re.search(r"^ *RES:([ \d]+)", Path("/proc/interrupts").read_text(), re.MULTILINE)
    return sum(map(int, found[1].split())) if found else 0


def load(peer: Peer, core: int, seconds: int, path: str = "/") -> Run:
    headers = ("Accept-Encoding: gzip",) if path == _DEAR_PATH else ()
    return run_wrk(
        peer.url + path, peer.pid, seconds=seconds, connections=CONNECTIONS, core=core, script=None, headers=headers
    )


def carried(peer: Peer, cores: tuple[int, ...], seconds: int, path: str = "/") -> Carried:
    """A load on each of the cores at once."""
    workers = workers_of(peer) if isinstance(peer, Meshway) else []
    tree = process_tree(peer.pid)
    sent, open_before = interrupts(), [sockets(pid) for pid in workers]
    before, of_each = cpu_s(tree), [cpu_s([pid]) for pid in workers]
    with ThreadPoolExecutor(len(cores)) as pool:
        running = [pool.submit(load, peer, core, seconds, path) for core in cores]
        with suppress(TimeoutError):
            running[0].result(seconds / 2)
        held = [sockets(pid) - opened for pid, opened in zip(workers, open_before, strict=True)]
        runs = [each.result() for each in running]
    spent = [cpu_s([pid]) - began for pid, began in zip(workers, of_each, strict=True)]
    per_s, calls = sum(run.requests_per_s for run in runs), sum(run.requests for run in runs)
    return Carried(
        per_s,
        (cpu_s(tree) - before) * 1e6 / calls,
        sum(run.errors for run in runs),
        max(run.p99_ms for run in runs),
        len(cores) * 1e6 / per_s,
        (interrupts() - sent) / calls,
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
    """Each proxy with one worker on the first core, with load and service; and twice with a worker, a load and a
    service on each core, apart and between."""

    def __init__(self) -> None:
        self._benches: list[Bench] = []
        try:
            self.ones = self._started(CORES[:1])
            self.twos = {APART: self._started(CORES), BETWEEN: self._started(CORES)}
            for proxy in self.twos[APART].values():
                steer(process_tree(proxy.pid), proxy.port)
            apart = self._benches[1]
            steer(process_tree(apart.upstream.pid), apart.upstream_port)
        except BaseException:
            self.close()
            raise

    def _started(self, cores: tuple[int, ...]) -> dict[str, Peer]:
        bench = Bench(proxy_core=cores[0], load_core=cores[0], service_cores=cores)
        self._benches.append(bench)
        listed, count = ",".join(map(str, cores)), len(cores)
        ours = bench.meshway("bare", workers=count, cores=listed)
        ours.apply(_COMPRESSED)
        proxies = {
            OURS: ours,
            MACHINE: bench.nginx("bare", workers=count, cores=listed),
            "envoy": bench.envoy("bare", workers=count, cores=listed),
        }
        for proxy in proxies.values():
            for core, worker in zip(cores, workers_of(proxy), strict=True):
                os.sched_setaffinity(worker, {core})
        return proxies

    def round(self, seconds: int, *, is_turned: bool) -> dict[tuple[str, str], Compared]:
        compared = {}
        for name in reversed(self.ones) if is_turned else self.ones:
            one = carried(self.ones[name], CORES[:1], seconds)
            for how, proxies in self.twos.items():
                compared[name, how] = Compared(one, carried(proxies[name], CORES, seconds))
        compared[OURS, DEAR] = Compared(
            carried(self.ones[OURS], CORES[:1], seconds, _DEAR_PATH),
            carried(self.twos[BETWEEN][OURS], CORES, seconds, _DEAR_PATH),
        )
        return compared

    def close(self) -> None:
        for bench in self._benches:
            bench.close()

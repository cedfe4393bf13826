"""What a pair of datagrams, a question and its answer, costs the gateway and nginx (stream module).

One proxy process on a core of its own, the
sources and the service on the other one: 32 sources, each with one question of 100 bytes under way. What is compared is
the proxy's own CPU time, and how many pairs a second there were.
"""

import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time
from typing import Final, NamedTuple

from loadtest.measure import cpu_s, process_tree, rss_bytes
from loadtest.peers import NGINX_STREAM, Bench, free_port
from loadtest.targets import at_most

SOURCES: Final = 32
QUESTION: Final = b"x" * 100
PATIENCE_S: Final = 0.5  # then a datagram counts as lost
MOST: Final = 1.5  # of nginx's CPU
_ECHO: Final = """
import socket, sys
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind(("127.0.0.1", 0))
print(own.getsockname()[1], flush=True)
buffer = bytearray(65535)
view = memoryview(buffer)
while True:
    size, source = own.recvfrom_into(buffer)
    own.sendto(view[:size], source)
"""
_NGINX: Final = """
load_module {module};
worker_processes 1;
pid {dir}/udp.pid;
error_log stderr error;
daemon off;
events {{ worker_connections 4096; }}
stream {{
    server {{ listen 127.0.0.1:{port} udp reuseport; proxy_pass 127.0.0.1:{to}; proxy_timeout 30s; }}
}}
"""
_MESHWAY: Final = """
{{apiVersion: meshway/v1, kind: Service, metadata: {{name: echo, namespace: bench}},
  spec: {{type: static, endpoints: [{{address: 127.0.0.1, port: {to}}}]}}}}
---
{{apiVersion: meshway/v1, kind: Listener, metadata: {{name: echo, namespace: mesh}},
  spec: {{port: {port}, protocol: udp}}}}
---
{{apiVersion: meshway/v1, kind: UdpRoute, metadata: {{name: echo, namespace: bench}},
  spec: {{listeners: [echo], destinations: [{{service: echo}}], per_source: 0}}}}
"""


class Run(NamedTuple):
    """cpu_us: of the proxy, a pair. lost: pairs without an answer."""

    per_s: float
    cpu_us: float
    lost: int
    rss_mb: float


def ask(port: int, seconds: float) -> tuple[int, int]:
    """Pairs, and lost ones."""
    poll, pairs, lost = select.epoll(), 0, 0
    sources = {}
    for _ in range(SOURCES):
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.connect(("127.0.0.1", port))
        own.setblocking(False)
        sources[own.fileno()] = own
        poll.register(own.fileno(), select.EPOLLIN)
        own.send(QUESTION)
    until, buffer = time.monotonic() + seconds, bytearray(2_048)
    while time.monotonic() < until:
        ready = poll.poll(PATIENCE_S)
        if not ready:
            lost += SOURCES
            for own in sources.values():
                own.send(QUESTION)
        for descriptor, _ in ready:
            own = sources[descriptor]
            own.recv_into(buffer)
            own.send(QUESTION)
            pairs += 1
    for own in sources.values():
        own.close()
    return pairs, lost


def wait_until_answered(port: int, within_s: float = 30.0) -> None:
    """Raises TimeoutError."""
    give_up = time.monotonic() + within_s
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.connect(("127.0.0.1", port))
        own.settimeout(PATIENCE_S)
        while time.monotonic() < give_up:
            try:
                own.send(QUESTION)
                own.recv(2_048)
            except (TimeoutError, ConnectionRefusedError):
                continue
            return
    raise TimeoutError(f"port {port} does not answer")


def measure(port: int, pid: int, seconds: float) -> Run:
    ask(port, 0.5)
    tree = process_tree(pid)
    before, began = cpu_s(tree), time.monotonic()
    pairs, lost = ask(port, seconds)
    took_s = time.monotonic() - began
    spent_s = cpu_s(tree) - before
    return Run(pairs / took_s, spent_s * 1e6 / max(1, pairs), lost, max(rss_bytes(each) for each in tree) / 1e6)


def compare(rounds: int, seconds: float) -> dict[str, list[Run]]:
    bench = Bench()
    os.sched_setaffinity(0, {bench.load_core})
    echo = subprocess.Popen(
        ["taskset", "-c", str(bench.load_core), sys.executable, "-c", _ECHO], stdout=subprocess.PIPE, text=True
    )
    assert echo.stdout is not None
    to = int(echo.stdout.readline())
    places: dict[str, tuple[int, int]] = {}
    nginx = None
    try:
        gateway = bench.meshway("bare")
        port = free_port()
        gateway.apply(_MESHWAY.format(port=port, to=to))
        places["meshway"] = port, gateway.pid
        if shutil.which("nginx") and NGINX_STREAM.exists():
            port = free_port()
            config = bench.dir / "udp.conf"
            config.write_text(_NGINX.format(module=NGINX_STREAM, dir=bench.dir, port=port, to=to))
            nginx = subprocess.Popen(["taskset", "-c", str(bench.proxy_core), "nginx", "-c", str(config)])
            places["nginx"] = port, nginx.pid
        for at, _ in places.values():
            wait_until_answered(at)
        found: dict[str, list[Run]] = {name: [] for name in places}
        for number in range(rounds):
            for name, (at, pid) in list(places.items())[:: 1 if number % 2 else -1]:
                found[name].append(measure(at, pid, seconds))
        return found
    finally:
        if nginx is not None:
            nginx.terminate()
            nginx.wait(10)
        echo.kill()
        echo.wait()
        bench.close()


def table(found: dict[str, list[Run]]) -> str:
    lines = [
        f"| {SOURCES} sources, {len(QUESTION)} bytes | CPU µs a pair | pairs a second | lost | MB |",
        "|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        cost = sorted(run.cpu_us for run in runs)
        lines.append(
            f"| {name} | **{statistics.median(cost):.1f}** ({cost[0]:.1f}–{cost[-1]:.1f}) "
            f"| {statistics.median(run.per_s for run in runs):,.0f} | {sum(run.lost for run in runs)} "
            f"| {max(run.rss_mb for run in runs):.0f} |"
        )
    if "nginx" not in found:
        return "\n".join([*lines, "", "nginx's stream module is not here: apt-get install libnginx-mod-stream"])
    pairs = zip(found["meshway"], found["nginx"], strict=True)
    share = statistics.median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)
    return "\n".join([*lines, "", str(at_most("a pair, our own", MOST, share, "× nginx's CPU"))])


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md. The load moves to its own core for as long as it takes."""
    cores = os.sched_getaffinity(0)
    try:
        return table(compare(rounds, seconds))
    finally:
        os.sched_setaffinity(0, cores)

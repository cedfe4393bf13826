"""What bytes of TCP cost beside HAProxy in TCP mode: CPU of an echo of 1 KB, of a bulk transfer, memory of idle ones.

64 connections that echo 1 KB each; one that brings 1 GB; then 7,500 silent ones, as many as 20,000 descriptors have
room for. One worker on one core, load and service on the other.
"""

import asyncio
import os
import statistics
import sys
import time
from typing import Final, cast

import uvloop

from gateway.wire.places import allow_all_descriptors
from loadtest.measure import cpu_s, process_tree, rss_bytes
from loadtest.peers import Bench, Peer, free_port
from loadtest.targets import at_most

CONNECTIONS: Final = 64
ECHO: Final = 1_024
ECHOES_PER_S: Final = 40_000  # about as many as fit into a second
MEGABYTES: Final = 1_024
IDLE: Final = 7_500
MOST: Final = 1.5  # of HAProxy's CPU
PIECE: Final = 256 * 1024
BULK: Final = b"\xff"  # as a connection's first byte: it asks for bytes on and on
_HAPROXY: Final = """
global
    nbthread 1
    maxconn 9000
defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h
listen edge
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{upstream_port}
"""
_ROUTE: Final = """
apiVersion: meshway/v1
kind: Listener
metadata: {{name: bytes, namespace: mesh}}
spec: {{port: {port}, protocol: tcp, limits: {{connections_per_address: 0}}}}
---
apiVersion: meshway/v1
kind: Service
metadata: {{name: echo, namespace: bench}}
spec:
  type: static
  ports: [{{name: tcp, port: {upstream_port}, protocol: tcp}}]
  endpoints: [{{address: 127.0.0.1}}]
---
apiVersion: meshway/v1
kind: TcpRoute
metadata: {{name: echo, namespace: bench}}
spec: {{listeners: [bytes], destinations: [{{service: echo}}]}}
"""


class Service(asyncio.Protocol):
    """Echoes; to whoever begins with BULK it sends as much as is taken."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._is_bulk = False

    def data_received(self, data: bytes) -> None:
        if data[:1] == BULK:
            self._is_bulk = True
            self.resume_writing()
        elif not self._is_bulk:
            self._transport.write(data)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        while self._is_bulk and not self._is_full and not self._transport.is_closing():
            self._transport.write(bytes(PIECE))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_bulk = False


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


class Caller(asyncio.Protocol):
    """Begins with `first`; is done when it has had `most` bytes. Where it echoes, it asks again with each answer."""

    def __init__(self, first: bytes, most: int, *, echoes: bool) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._first, self._most, self._echoes = first, most, echoes
        self._came = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def begin(self) -> None:
        self.transport.write(self._first)

    def data_received(self, data: bytes) -> None:
        before, self._came = self._came // ECHO, self._came + len(data)
        if self._came >= self._most:
            if not self.done.done():
                self.done.set_result(None)
        elif self._echoes and self._came // ECHO > before:
            self.transport.write(self._first)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the connection was lost"))
            self.done.exception()


async def connected(port: int, count: int, first: bytes, most: int, *, echoes: bool) -> list[Caller]:
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Caller(first, most, echoes=echoes), "127.0.0.1", port))[1]
        for _ in range(count)
    ]


async def carried(peer: Peer, count: int, first: bytes, most: int, *, echoes: bool) -> tuple[float, float]:
    """CPU seconds of the proxy, and how long it took, until each of `count` has had `most` bytes."""
    callers = await connected(peer.port, count, first, most, echoes=echoes)
    pids = process_tree(peer.pid)
    before, begun = cpu_s(pids), time.monotonic()
    for caller in callers:
        caller.begin()
    await asyncio.wait_for(asyncio.gather(*(caller.done for caller in callers)), 600)
    took, used = time.monotonic() - begun, cpu_s(pids) - before
    for caller in callers:
        caller.transport.abort()
    return used, took


async def idle_kb(peer: Peer, count: int) -> float:
    """Resident memory of the proxy for each silent connection, kilobytes."""

    def rss() -> int:
        return sum(rss_bytes(pid) for pid in process_tree(peer.pid))

    for caller in await connected(peer.port, 64, b"", 1, echoes=False):
        caller.transport.abort()
    before = rss()
    callers = await connected(peer.port, count, b"x", 1, echoes=False)
    for caller in callers:  # a byte there and back: both sides are there
        caller.begin()
    await asyncio.wait_for(asyncio.gather(*(caller.done for caller in callers)), 120)
    used = (rss() - before) / count / 1024
    for caller in callers:
        caller.transport.abort()
    return used


def haproxy(bench: Bench, upstream_port: int) -> Peer:
    port = free_port()
    config = bench.dir / "tcp.cfg"
    config.write_text(_HAPROXY.format(port=port, upstream_port=upstream_port))
    process = bench._spawn(["haproxy", "-f", str(config)], bench.proxy_core, "haproxy-tcp")
    peer = Peer("haproxy", port, process.pid, process)
    bench.peers.append(peer)
    return peer


def meshway(bench: Bench, upstream_port: int) -> Peer:
    running, port = bench.meshway("bare"), free_port()
    running.apply(_ROUTE.format(port=port, upstream_port=upstream_port))
    return Peer("meshway", port, running.pid, running.process)


Costs = dict[str, list[tuple[float, float]]]
"""By proxy, of each round: CPU seconds, and how long it took."""


def compare(peers: dict[str, Peer], rounds: int, seconds: int) -> str:
    echoes: Costs = {name: [] for name in peers}
    bulk: Costs = {name: [] for name in peers}
    each = ECHOES_PER_S * seconds // CONNECTIONS
    for number in range(rounds):
        for name in peers if number % 2 else reversed(peers):
            peer = peers[name]
            echoes[name].append(uvloop.run(carried(peer, CONNECTIONS, bytes(ECHO), each * ECHO, echoes=True)))
            bulk[name].append(uvloop.run(carried(peer, 1, BULK, MEGABYTES << 20, echoes=False)))
    lines = [
        "| proxy | CPU µs an echo of 1 KB (min–max) | echoes a second | CPU ms per GB | MB a second "
        "| KB an idle connection |",
        "|---|---|---|---|---|---|",
    ]
    for name, peer in peers.items():
        costs = sorted(used / (each * CONNECTIONS) * 1e6 for used, _ in echoes[name])
        took = statistics.median(took for _, took in echoes[name])
        spent, lasted = (statistics.median(run[at] for run in bulk[name]) for at in (0, 1))
        lines.append(
            f"| {name} | {statistics.median(costs):.1f} ({costs[0]:.1f}–{costs[-1]:.1f}) "
            f"| {each * CONNECTIONS / took:,.0f} | {spent / (MEGABYTES / 1024) * 1e3:,.0f} "
            f"| {MEGABYTES / lasted:,.0f} | {uvloop.run(idle_kb(peer, IDLE if seconds > 1 else IDLE // 10)):.1f} |"
        )
    targets = []
    for what, costs_of in (("an echo of 1 KB", echoes), ("a GB", bulk)):
        pairs = zip(costs_of["meshway"], costs_of["haproxy"], strict=True)
        share = statistics.median(ours / theirs for (ours, _), (theirs, _) in pairs)
        targets.append(str(at_most(f"{what}, our own", MOST, share, "× haproxy's CPU")))
    return "\n".join([*lines, "", *targets])


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md. The load moves to its own core for as long as it takes."""
    allow_all_descriptors()
    bench, port, cores = Bench(), free_port(), os.sched_getaffinity(0)
    service = bench._spawn([sys.executable, "-m", "loadtest.tcp", str(port)], bench.load_core, "service")
    try:
        os.sched_setaffinity(0, {bench.load_core})
        peers = {"meshway": meshway(bench, port), "haproxy": haproxy(bench, port)}
        wait_open(*(peer.port for peer in peers.values()))
        return compare(peers, rounds, seconds)
    finally:
        os.sched_setaffinity(0, cores)
        service.terminate()
        service.wait(10)
        bench.close()


def wait_open(*ports: int) -> None:
    """Documents are applied, and sockets bound, in a moment."""
    deadline = time.monotonic() + 30.0
    for port in ports:
        while True:
            try:
                uvloop.run(_touch(port))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


async def _touch(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


if __name__ == "__main__":
    allow_all_descriptors()
    uvloop.run(serve(int(sys.argv[1])))

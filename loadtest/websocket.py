"""What a WebSocket costs beside nginx and HAProxy: CPU of a message there and back, memory of those that are silent.

64 connections, each echoing 125 bytes, one worker on one core; then 900 idle ones, since the edge takes a thousand of
one address.
"""

import asyncio
import os
import statistics
import sys
import time
from typing import Final, cast

import uvloop

from gateway.wire.websocket.handshake import accept_of
from loadtest.measure import cpu_s, process_tree, rss_bytes
from loadtest.peers import Bench, Peer, free_port
from loadtest.targets import at_most

MASK: Final = b"\x01\x02\x03\x04"
KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
PAYLOAD: Final = 125
CONNECTIONS: Final = 64
MESSAGES_PER_S: Final = 40_000  # about as many as fit into a second
IDLE: Final = 900
MOST: Final = 1.5  # of nginx's CPU
LOOKED_AT: Final = "meshway, frames looked at"
HANDSHAKE: Final = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\n\r\n" % KEY
)
MESSAGE: Final = bytes((0x82, 0x80 | PAYLOAD)) + MASK + bytes(PAYLOAD)
ANSWER: Final = bytes((0x82, PAYLOAD)) + bytes(PAYLOAD)
NGINX_UPGRADES: Final = """
        location /echo {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection upgrade;
            proxy_set_header Upgrade $http_upgrade;
            proxy_read_timeout 600s;
        }
        location / {"""


class Echo(asyncio.Protocol):
    """A service that answers each message of PAYLOAD bytes with one; all else is answered 200."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._is_open = False
        self._came = 0

    def data_received(self, data: bytes) -> None:
        if self._is_open:
            whole, self._came = divmod(self._came + len(data), len(MESSAGE))
            self._transport.write(ANSWER * whole)
            return
        lines = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in data.split(b"\r\n")}
        key = lines.get(b"sec-websocket-key")
        if key is None:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        self._is_open = True
        head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        self._transport.write(head + b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_of(key))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


class Talker(asyncio.Protocol):
    """Sends the next message when the last one is back, until it has had `most`. ready: the handshake is done."""

    def __init__(self, most: int) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self._left = most
        self._came = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if not self.ready.done():
            self._head += data
            if self._head.endswith(b"\r\n\r\n"):
                if not self._head.startswith(b"HTTP/1.1 101"):
                    self.ready.set_exception(RuntimeError(self._head.decode("latin-1")))
                    return
                self.ready.set_result(None)
            return
        self._came += len(data)
        if self._came >= len(ANSWER):
            self._came -= len(ANSWER)
            self._left -= 1
            if self._left > 0:
                self.transport.write(MESSAGE)
            elif not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.ready, self.done):
            if not future.done():
                future.set_exception(ConnectionError("the connection was lost"))
                future.exception()


async def connected(port: int, count: int, most: int) -> list[Talker]:
    loop = asyncio.get_running_loop()
    talkers: list[Talker] = []
    for begin in range(0, count, 64):
        made = [
            await loop.create_connection(lambda: Talker(most), "127.0.0.1", port)
            for _ in range(begin, min(count, begin + 64))
        ]
        talkers += [talker for _, talker in made]
        await asyncio.wait_for(asyncio.gather(*(talker.ready for _, talker in made)), 30)
    return talkers


async def message_us(peer: Peer, connections: int, messages: int) -> tuple[float, float]:
    """CPU of the proxy for one message there and back, microseconds, and messages in a second."""
    talkers = await connected(peer.port, connections, messages // connections)
    pids = process_tree(peer.pid)
    before, begun = cpu_s(pids), time.monotonic()
    for talker in talkers:
        talker.transport.write(MESSAGE)
    await asyncio.wait_for(asyncio.gather(*(talker.done for talker in talkers)), 600)
    took, used = time.monotonic() - begun, cpu_s(pids) - before
    for talker in talkers:
        talker.transport.abort()
    return used / messages * 1e6, messages / took


async def idle_kb(peer: Peer, count: int) -> float:
    """Resident memory of the proxy for each silent connection, kilobytes."""

    def rss() -> int:
        return sum(rss_bytes(pid) for pid in process_tree(peer.pid))

    for talker in await connected(peer.port, 64, 1):
        talker.transport.abort()
    before = rss()
    talkers = await connected(peer.port, count, 1)
    used = (rss() - before) / count / 1024
    for talker in talkers:
        talker.transport.abort()
    return used


def with_upgrades(bench: Bench) -> Peer:
    """nginx, which passes upgrades on where it is told to."""
    port = free_port()
    config = bench.render("nginx.bare.conf", port, workers=1)
    config.write_text(config.read_text().replace("\n        location / {", NGINX_UPGRADES))
    return bench._start("nginx", port, ["nginx", "-p", str(bench.dir), "-c", str(config)])


_ROUTE: Final = """
kind: Route
apiVersion: meshway/v1
metadata: {name: all, namespace: bench}
spec:
  listeners: [edge]
  rules: [{name: all, destinations: [{service: upstream}], websocket: {}}]
"""


def compare(peers: dict[str, Peer], rounds: int, seconds: int) -> str:
    messages = MESSAGES_PER_S * seconds // CONNECTIONS * CONNECTIONS
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for number in range(rounds):
        for name in peers if number % 2 else reversed(peers):
            rows[name].append(uvloop.run(message_us(peers[name], CONNECTIONS, messages)))
    lines = [
        "| proxy | CPU µs a message there and back (min–max) | messages a second | KB an idle connection |",
        "|---|---|---|---|",
    ]
    for name, runs in rows.items():
        costs = sorted(us for us, _ in runs)
        memory = uvloop.run(idle_kb(peers[name], IDLE))
        lines.append(
            f"| {name} | {statistics.median(costs):.1f} ({costs[0]:.1f}–{costs[-1]:.1f}) "
            f"| {statistics.median(rate for _, rate in runs):,.0f} | {memory:.1f} |"
        )
    pairs = zip(rows["meshway"], rows["nginx"], strict=True)
    share = statistics.median(ours / theirs for (ours, _), (theirs, _) in pairs)
    return "\n".join([*lines, "", str(at_most("a message, our own", MOST, share, "× nginx's CPU"))])


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md. The load moves to its own core for as long as it takes."""
    bench, cores = Bench(), os.sched_getaffinity(0)
    bench.upstream_port = free_port()
    command = [sys.executable, "-m", "loadtest.websocket", str(bench.upstream_port)]
    service = bench._spawn(command, bench.load_core, "echo")
    try:
        os.sched_setaffinity(0, {bench.load_core})
        looking = bench.meshway("bare")
        looking.apply(_ROUTE)
        peers: dict[str, Peer] = {
            "meshway": bench.meshway("bare"),
            LOOKED_AT: looking,
            "nginx": with_upgrades(bench),
            "haproxy": bench.haproxy("bare"),
        }
        return compare(peers, rounds, seconds)
    finally:
        os.sched_setaffinity(0, cores)
        service.terminate()
        service.wait(10)
        bench.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))

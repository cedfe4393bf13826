"""What a WebSocket costs beside nginx and HAProxy: CPU of a message there and back, memory of those that are silent.

`python -m loadtest.websocket`: 64 connections, each echoing 125 bytes, one worker on one core; then 900
idle ones, since the edge takes a thousand of one address.
"""

import argparse
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

MASK: Final = b"\x01\x02\x03\x04"
KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
PAYLOAD: Final = 125
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
    config = bench.render("nginx.bare.conf", port)
    config.write_text(config.read_text().replace("\n        location / {", NGINX_UPGRADES))
    return bench._start("nginx", port, ["nginx", "-p", str(bench.dir), "-c", str(config)])


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(serve(int(sys.argv[2])))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--idle", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bench = Bench()
    bench.upstream_port = free_port()
    service = bench._spawn([sys.executable, "-m", "loadtest.websocket", "serve", str(bench.upstream_port)], 1, "echo")
    bench.pin(os.getpid(), bench.load_core)
    try:
        plain = bench.meshway("bare")
        peers: list[tuple[str, Peer]] = [
            ("nginx", with_upgrades(bench)),
            ("HAProxy", bench.haproxy("bare")),
            ("meshway", plain),
        ]
        rows: dict[str, list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            for name, peer in peers:
                told = uvloop.run(message_us(peer, options.connections, options.messages))
                rows.setdefault(name, []).append(told)
        memory = {name: uvloop.run(idle_kb(peer, options.idle)) for name, peer in peers}
        plain.apply(_ROUTE)
        for _ in range(options.rounds):
            told = uvloop.run(message_us(plain, options.connections, options.messages))
            rows.setdefault("meshway, frames looked at", []).append(told)
        memory["meshway, frames looked at"] = uvloop.run(idle_kb(plain, options.idle))
        print("| | CPU µs a message there and back | messages a second | KB an idle connection |\n|---|---|---|---|")
        for name, runs in rows.items():
            us, rate = (statistics.median(run[at] for run in runs) for at in (0, 1))
            print(f"| {name} | {us:.1f} | {rate:,.0f} | {memory[name]:.1f} |")
    finally:
        service.terminate()
        service.wait(10)
        bench.close()


_ROUTE: Final = """
kind: Route
apiVersion: meshway/v1
metadata: {name: all, namespace: bench}
spec:
  listeners: [edge]
  rules: [{name: all, destinations: [{service: upstream}], websocket: {}}]
"""


if __name__ == "__main__":
    main()

"""What a call costs by HTTP/3 beside the same one by HTTP/2, and what a connection holds that says nothing.

One load (this process, 4 connections with 5
calls each at a time, by TLS) calls a gateway of one worker both ways in turn; what counts is the gateway's processor
time. The load by HTTP/3 is aioquic's own client, which takes more than the gateway: calls a second say nothing of
either.
"""

import asyncio
import os
import statistics
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, cast

import uvloop
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import HandshakeCompleted, QuicEvent

from gateway.wire.http2.codec import ClientCodec
from gateway.wire.multiplexed.messages import Body, Head
from loadtest.measure import cpu_s, process_tree, rss_bytes
from loadtest.peers import Bench, Meshway
from loadtest.targets import at_most
from loadtest.tls import until_served, write
from meshway.tls import client_context
from tests.parts.authority import Authority

CONNECTIONS: Final = 4
AT_ONCE: Final = 5
IDLE: Final = 200
MOST: Final = 3.0  # of HTTP/2's CPU
NAME: Final = "localhost"
GET: Final = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", NAME.encode()), (b":path", b"/")]
DOCUMENTS: Final = """
apiVersion: meshway/v1
kind: Certificate
metadata: {name: bench, namespace: bench}
spec: {files: {certificate: bench.pem, key: bench.key}}
---
apiVersion: meshway/v1
kind: Listener
metadata: {name: edge-tls, namespace: mesh}
spec: {http3: {enabled: true}, limits: {idle_timeout: 10m}}
"""


class Load(Protocol):
    """answers, failures: so far. is_done: it asks no more."""

    answers: int
    failures: int
    is_done: bool

    def close(self) -> None: ...


class Http2Load(asyncio.Protocol):
    def __init__(self, asks: bool) -> None:
        self.answers = self.failures = 0
        self.is_done = not asks
        self._codec = ClientCodec()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        for _ in range(0 if self.is_done else AT_ONCE):
            self._codec.begin(GET, b"")
        self._transport.write(self._codec.take())

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        for event in self._codec.receive(data):
            if isinstance(event, Body):
                self._codec.consumed(event.stream, len(event.data))
            elif isinstance(event, Head):
                self.answers += event.fields[0][1] == b"200"
                self.failures += event.fields[0][1] != b"200"
            if isinstance(event, Head | Body) and event.ended and not self.is_done:
                self._codec.begin(GET, b"")
        while out := self._codec.take():
            self._transport.write(out)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


class Http3Load(QuicConnectionProtocol):
    def __init__(self, quic: QuicConnection, asks: bool) -> None:
        super().__init__(quic)
        self.answers = self.failures = 0
        self.is_done = not asks
        self.is_shaken = asyncio.Event()
        self._h3: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self._h3 = H3Connection(self._quic)
            self.is_shaken.set()
            for _ in range(0 if self.is_done else AT_ONCE):
                self._ask()
        if self._h3 is not None:
            for heard in self._h3.handle_event(event):
                self._take(heard)

    def _take(self, heard: H3Event) -> None:
        if isinstance(heard, HeadersReceived):
            self.answers += heard.headers[0][1] == b"200"
            self.failures += heard.headers[0][1] != b"200"
        if getattr(heard, "stream_ended", False) and not self.is_done:
            self._ask()

    def _ask(self) -> None:
        assert self._h3 is not None
        self._h3.send_headers(self._quic.get_next_available_stream_id(), GET, end_stream=True)

    def close(self, error_code: int = 0x100, reason_phrase: str = "") -> None:
        super().close(error_code, reason_phrase)


async def by_http2(port: int, authority: Authority, asks: bool) -> Load:
    tls = client_context(authority.pem)
    tls.set_alpn_protocols(["h2"])
    loop = asyncio.get_running_loop()
    _, load = await loop.create_connection(lambda: Http2Load(asks), "127.0.0.1", port, ssl=tls, server_hostname=NAME)
    return load


async def by_http3(port: int, authority: Authority, asks: bool) -> Load:
    how = QuicConfiguration(
        alpn_protocols=["h3"], is_client=True, server_name=NAME, cadata=authority.pem, idle_timeout=600.0
    )
    loop = asyncio.get_running_loop()
    _, load = await loop.create_datagram_endpoint(
        lambda: Http3Load(QuicConnection(configuration=how), asks), local_addr=("127.0.0.1", 0)
    )
    load.connect(("127.0.0.1", port))
    async with asyncio.timeout(30.0):
        await load.is_shaken.wait()
    return load


WAYS: Final[dict[str, Callable[[int, Authority, bool], Awaitable[Load]]]] = {"HTTP/2": by_http2, "HTTP/3": by_http3}


async def cost(way: str, port: int, authority: Authority, seconds: float, pid: int) -> float:
    """µs of the gateway's processor time a call, after half a second of warming up."""
    loads = [await WAYS[way](port, authority, True) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.5)
    tree = process_tree(pid)
    began, answered = cpu_s(tree), sum(load.answers for load in loads)
    await asyncio.sleep(seconds)
    used, more = cpu_s(tree) - began, sum(load.answers for load in loads) - answered
    if any(load.failures for load in loads):
        raise RuntimeError("some calls were not answered with 200")
    for load in loads:
        load.is_done = True
        load.close()
    return used / more * 1e6


async def idle_kib(way: str, port: int, authority: Authority, count: int, pid: int) -> float:
    """KiB of the gateway's for each of so many connections that say nothing."""
    tree = process_tree(pid)
    before = sum(map(rss_bytes, tree))
    loads: list[Any] = [await WAYS[way](port, authority, False) for _ in range(count)]
    await asyncio.sleep(1.0)
    held = sum(map(rss_bytes, tree)) - before
    for load in loads:
        load.close()
    return held / count / 1024


async def measure(gateway: Meshway, authority: Authority, rounds: int, seconds: float, idle: int) -> str:
    port = int(gateway.ready["edge_tls"].rpartition(":")[2])
    await until_served(port, client_context(authority.pem))
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS if number % 2 else reversed(WAYS):
            found[way].append(await cost(way, port, authority, seconds, gateway.pid))
    held = {way: await idle_kib(way, port, authority, idle, gateway.pid) for way in WAYS}
    lines = ["| | CPU µs/request | of HTTP/2 | KiB of an idle connection |", "|---|---|---|---|"]
    for way, values in found.items():
        share = statistics.median(one / base for one, base in zip(values, found["HTTP/2"], strict=True))
        spread = f"{statistics.median(values):.0f} ({min(values):.0f}–{max(values):.0f})"
        lines.append(f"| {way} | {spread} | {share:.1f} | {held[way]:.0f} |")
    return "\n".join([*lines, "", str(at_most("a call by HTTP/3, our own", MOST, share, "× one by HTTP/2"))])


def section(rounds: int, seconds: float) -> str:
    """Its part of RESULTS.md. The load moves to its own core for as long as it takes."""
    authority, bench = Authority(), Bench()
    cores = os.sched_getaffinity(0)
    try:
        gateway = bench.meshway("bare")
        write(gateway.data / "certificates" / "bench", authority.issue(NAME))
        gateway.apply(DOCUMENTS)
        os.sched_setaffinity(0, {bench.load_core})
        found = uvloop.run(measure(gateway, authority, rounds, seconds, IDLE))
    finally:
        os.sched_setaffinity(0, cores)
        bench.close()
    how = f"{CONNECTIONS} connections of one load in Python by TLS, {AT_ONCE} calls at a time on each"
    return f"{how}; {IDLE} idle ones.\n\n{found}"

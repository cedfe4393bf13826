"""A gateway of one route in the test's own loop: real sockets, no processes, no documents.

`Wire` is the gateway, `ScriptedUpstream` a service that the test writes as a function of its two streams.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.exchange import EDGE, Exchange
from gateway.plan import RoutePlan
from gateway.relay.deadline import TICK_S, TimerWheel
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from gateway.routing.table import TablesHolder
from gateway.upstream.cluster import Cluster
from gateway.upstream.pool import Pool
from gateway.wire.connection_limits import ConnectionLimits, StreamLimits
from gateway.wire.http1.client import make_connector
from gateway.wire.http1.server import ServerProtocol
from gateway.wire.http2.server import Http2Connection
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from tests.parts.conditions import until
from tests.parts.one_route import cluster, endpoint, one_route, plan, retry_plan

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE_S = 20.0
VIA_ID = b"meshway-test"


class ScriptedUpstream:
    """One handler call a connection. received: all bytes of all connections, by connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.port = 0
        self.received: list[bytearray] = []
        self.open = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log = bytearray()
        self.received.append(log)
        self.open += 1
        feed = reader.feed_data

        def record(data: bytes) -> None:
            log.extend(data)
            feed(data)

        reader.feed_data = record  # type: ignore[method-assign, assignment]  # it is given bytes
        try:
            await self._handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["ScriptedUpstream"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def answering(answer: bytes) -> Handler:
    """Gives the same bytes for each head, on a connection that stays open. For requests without a body."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_head(reader)
            writer.write(answer)

    return handle


class Caller:
    """A raw connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)

    async def exactly(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), PATIENCE_S)

    async def until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(end), PATIENCE_S)

    async def rest(self) -> bytes:
        """Until the gateway closes."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE_S)

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head, body of an answer with Content-Length."""
        head = await self.head()
        size = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        return int(head.split()[1]), head, await self.exactly(size)


class Wire:
    """finished: the exchanges that are over."""

    def __init__(self, context: ListenerContext, target: Cluster, pool: Pool, finished: list[Exchange]) -> None:
        self.context = context
        self.cluster = target
        self.pool = pool
        self.finished = finished
        self.port = 0

    async def open(self) -> Caller:
        return Caller(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20))

    async def ask(self, data: bytes) -> tuple[int, bytes, bytes]:
        """One request on a connection of its own."""
        caller = await self.open()
        caller.send(data)
        try:
            return await caller.answer()
        finally:
            caller.writer.close()

    async def last(self) -> Exchange:
        """The exchange that ends next, or has ended."""
        await until(lambda: self.finished, what="an exchange that is over")
        return self.finished.pop(0)


def default_plan(target: Cluster) -> RoutePlan:
    return plan(target, retry=retry_plan())


@asynccontextmanager
async def wire(
    *ports: int,
    make_plan: Callable[[Cluster], RoutePlan] = default_plan,
    make_cluster: Callable[..., Cluster] = cluster,
    face: int = EDGE,
    limits: ConnectionLimits | None = None,
    trusted_proxies: Networks = (),
    places: Places | None = None,
    streams: StreamLimits | None = None,
) -> AsyncIterator[Wire]:
    """ports: of the endpoints `a`, `b`, … of the one cluster."""
    loop, now = asyncio.get_running_loop(), time.monotonic
    wheel = TimerWheel(now())
    pool = Pool(make_connector(loop), wheel, now)
    endpoints = [endpoint(port, "abcdefgh"[at]) for at, port in enumerate(ports)]
    target = make_cluster(*endpoints, now=now)
    finished: list[Exchange] = []
    tables = TablesHolder(one_route(make_plan(target)))
    relay = Relay(tables, pool, wheel, now, lambda exchange, _: finished.append(exchange))
    context = ListenerContext(
        face,
        relay,
        VIA_ID,
        limits=limits,
        trusted_proxies=trusted_proxies,
        places=places,
        multiplexing=Http2Connection,
        caller=ServerProtocol,
    )
    if streams is not None:
        context.streams = streams
    server = await loop.create_server(lambda: ServerProtocol(context), "127.0.0.1", 0)
    gateway = Wire(context, target, pool, finished)
    gateway.port = server.sockets[0].getsockname()[1]
    is_running = True

    def tick() -> None:
        if is_running:
            wheel.advance(now())
            loop.call_later(TICK_S, tick)

    tick()
    try:
        yield gateway
    finally:
        is_running = False
        server.close()
        context.abort_all()
        for one in endpoints:
            pool.close_idle(one)
        await until(lambda: not context.connections, what="connections that end")

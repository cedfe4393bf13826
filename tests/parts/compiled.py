"""A gateway of compiled documents in the test's own loop: what was written, on real sockets."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import random as uniform
from typing import Any

from gateway.compiler.tables import Compiler
from gateway.exchange import EDGE, MESH, Exchange
from gateway.limits.desk import Desk
from gateway.listeners.sockets import open_slots
from gateway.plan import Parts
from gateway.relay.deadline import TICK_S, TimerWheel
from gateway.relay.relay import Relay
from gateway.relay.shedding import Shedding
from gateway.routing.table import Tables, TablesHolder
from gateway.secret_ring import SecretRing
from gateway.telemetry.access_line import LineWriter, outcome_of
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import Counters
from gateway.telemetry.finish import Finisher
from gateway.telemetry.otlp_sink import OtlpSinks
from gateway.telemetry.telling import Telling
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import Lookup, OutsideHosts, looked_up
from gateway.upstream.pool import Pool
from gateway.upstream.shared_pool import SharedPool
from gateway.wire.connection_limits import ConnectionLimits
from gateway.wire.http1.client import IDENTIFYING, make_connector
from gateway.wire.http1.server import ServerProtocol
from gateway.wire.http2.client import make_shared_connector
from gateway.wire.http2.codec import CONNECTION_WINDOW
from gateway.wire.http2.server import Http2Connection
from gateway.wire.http2.upstream import Speaking
from gateway.wire.listener_context import ListenerContext
from gateway.wire.opening import Opener
from gateway.wire.proxied import before_handshake, caller_protocol
from gateway.wire.tcp.caller import Carriage
from gateway.wire.tcp.connect_caller import ConnectCaller
from gateway.wire.tls import TlsFace
from gateway.wire.upstream_tls import UpstreamContexts
from gateway.worker.judging import Judging
from gateway.worker.serving import Serving
from gateway.worker.streams import Streams
from gateway.worker.telling import follow
from meshway.assignments.ledger import Ledger
from meshway.assignments.messages import Ask, Budget
from meshway.handshakes import Handshakes
from meshway.http1.field_lines import response_lines
from meshway.http1.head import HeadLimits
from meshway.issuers.link import IssuerLink
from meshway.model.document import MESH_NAMESPACE
from meshway.outbound.connection import dial
from meshway.snapshot import Change
from tests.parts.clock import LeapingClock
from tests.parts.conditions import until
from tests.parts.wire import Caller


class CompiledGateway:
    """listener: the one without TLS. compiler: what `apply` changes. Calls go to `port`, those by TLS to `tls_port`;
    serving: what that one shows. lines: of the access log, one a call that is over. handshakes: how many ended well,
    how many not."""

    def __init__(
        self, compiler: Compiler, holder: TablesHolder, parts: Parts, clock: LeapingClock, serving: Serving
    ) -> None:
        self.serving = serving
        self.listener: ListenerContext | None = None
        self.listeners: list[ListenerContext] = []
        self.tls_port = 0
        self.handshakes = [0, 0]
        self.compiler = compiler
        self._clock = clock
        self.lines: list[dict[str, Any]] = []
        self._parts = parts
        self.wall = parts.wall
        self.keys = parts.keys
        self.secrets = parts.secrets
        self.passwords = parts.passwords
        self.port = 0
        self._holder = holder
        self.judging = Judging(holder, parts.counters, Streams(lambda: self.listeners, clock))
        self._revision = 0
        self.relay: Relay | None = None
        self.carriage: Carriage | None = None
        self.log: AccessLog | None = None
        self.counters: Counters | None = None
        self.telling: Telling | None = None
        self.finisher: Finisher | None = None

    def told(self) -> None:
        """Whatever is to be written is."""
        assert self.log is not None
        self.log.close()

    def apply(self, *changes: Change) -> None:
        self._revision += 1
        assert self.compiler.delta(self._revision, changes) == []
        self._holder.tables = self.compiler.tables
        self.judging.begin()
        self.serving.take(self.compiler.state.served, self.compiler.tables.trust)
        if self.finisher is not None:
            assert self.log is not None
            assert self.relay is not None
            assert self.counters is not None
            follow(self.compiler.state.telling, self.finisher, self.log, self.relay, self.counters)

    def leap(self, seconds: float) -> None:
        """So much time passes at once, and what was due is done."""
        self._clock.leap(seconds)
        self._holder.tables.tick(self._clock())
        self.serving.beat()

    def serve(self, tables: Tables) -> None:
        """By these, whatever was applied."""
        self._holder.tables = tables

    def shed(self, level: int) -> None:
        """As a worker does that has too much to do; what else it refuses, it refuses on."""
        assert self.relay is not None
        shedding = Shedding(self._holder, self._parts.random)
        shedding.level = level
        self.relay.holder = shedding

    def share_among(self, gateways: int) -> None:
        """As a worker does when the number of live gateways changed."""
        self._parts.gateways = gateways
        for cluster in self._holder.tables.clusters.values():
            cluster.share_anew()

    async def open_tls(self, tls: ssl.SSLContext, name: str | None = "shop.example") -> Caller:
        """A connection by TLS. name: of the host that is asked for, None: none is."""
        # The loop's own way verifies the name it sends; whoever sends none has switched that off.
        return Caller(
            *await asyncio.open_connection(
                "127.0.0.1", self.tls_port, ssl=tls, server_hostname=name or "", ssl_handshake_timeout=10.0
            )
        )

    async def ask(
        self,
        target: str = "/",
        host: str = "shop.example",
        fields: str = "",
        method: str = "GET",
        body: str = "",
    ) -> tuple[int, str, str]:
        """Status, head and body of a call on a connection of its own. fields: a body's length among them."""
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        return await self._ask_on(caller, target, host, fields, method, body)

    async def ask_by_tls(
        self, tls: ssl.SSLContext, target: str = "/", host: str = "shop.example", fields: str = ""
    ) -> tuple[int, str, str]:
        """As `ask`."""
        return await self._ask_on(await self.open_tls(tls, host), target, host, fields, "GET", "")

    async def _ask_on(
        self, caller: Caller, target: str, host: str, fields: str, method: str, body: str
    ) -> tuple[int, str, str]:
        caller.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{body}".encode())
        try:
            status, head, answer = await caller.answer()
        finally:
            caller.writer.close()
        return status, head.decode(), answer.decode()


@asynccontextmanager
async def compiled_gateway(
    *changes: Change,
    face: int = EDGE,
    limits: ConnectionLimits | None = None,
    zone: str = "",
    random: Callable[[], float] = uniform,
    lost: str = "",
    counters: Counters | None = None,
    lookup: Lookup = looked_up,
    crosses_namespaces: bool = False,
    log_folder: Path | None = None,
    window: int = CONNECTION_WINDOW,
) -> AsyncIterator[CompiledGateway]:
    """log_folder: where it logs as a worker does, and tells of single calls; None: nowhere. random: in
    [0, 1), of shares, picks and backoffs. lost: why nobody tells what other gateways have counted. lookup: of hosts
    outside. window: of answers by HTTP/2."""
    loop, now = asyncio.get_running_loop(), LeapingClock()
    if log_folder is not None and counters is None:
        counters = Counters(log_folder / "counters")
    wheel = TimerWheel(now())
    secrets = SecretRing()
    contexts = UpstreamContexts(secrets, lambda: compiler.tables.trust, lambda: gateway.serving.identity)
    outside = OutsideHosts(now, lookup)
    shared_pool = SharedPool(make_shared_connector(loop, contexts=contexts, outside=outside, window=window), wheel, now)
    own = make_connector(loop, contexts=contexts, outside=outside)
    speaking = Speaking(own, shared_pool, HeadLimits(), response_lines(drop=IDENTIFYING))
    pool = Pool(speaking.connect, wheel, now, speaking.beside)

    def retire(endpoint: Endpoint) -> None:
        pool.close_idle(endpoint)
        shared_pool.retire(endpoint)

    parts = Parts(
        now=now,
        random=random,
        zone=zone,
        retire=retire,
        pool=pool,
        shared_pool=shared_pool,
        issuers=IssuerLink(allow_loopback=True),
        desks=_desks(lost, now),
        counters=counters,
        secrets=secrets,
    )
    parts.crosses_namespaces = crosses_namespaces
    compiler = Compiler(parts)
    holder = TablesHolder(compiler.tables)
    writer = LineWriter(0.0)

    def finish(exchange: Exchange, at: float) -> None:
        gateway.lines.append(json.loads(writer.of(exchange, at, outcome_of(exchange))))
        if gateway.finisher is not None:
            gateway.finisher.finish(exchange, at)

    relay = Relay(holder, pool, wheel, now, finish, random)
    how: Any = {"limits": limits, "multiplexing": Http2Connection, "caller": ServerProtocol}
    context = ListenerContext(face, relay, b"meshway-test", **how)
    carriage = Carriage(holder, Opener(loop, contexts, outside, alpn=()))
    if face == MESH:
        context.connecting = partial(ConnectCaller, carriage)
    tls_context = ListenerContext(face, relay, b"meshway-test", tls=TlsFace(parts.wall), **how)
    gateway: CompiledGateway = CompiledGateway(
        compiler, holder, parts, now, Serving((context, tls_context), (), parts.secrets, now=now)
    )
    gateway.relay = relay
    gateway.listener = context
    gateway.listeners = [context, tls_context]
    gateway.carriage = carriage
    if log_folder is not None:
        assert counters is not None
        collectors = OtlpSinks(secrets, MESH_NAMESPACE, "gw-test", "1", dial)
        gateway.log = AccessLog(
            str(log_folder / "access.jsonl"), 1 << 20, lambda _: None, now=now, collectors=collectors
        )
        gateway.counters = counters
        gateway.telling = Telling(counters, gateway.log.writer, lambda: 1, keeps_lines=True)
        gateway.finisher = Finisher(counters, gateway.log, telling=gateway.telling)
    assert tls_context.tls is not None

    def count(has_failed: bool) -> None:
        gateway.handshakes[has_failed] += 1

    prelude = partial(before_handshake, tls_context)
    shaking = Handshakes("tls", tls_context.tls, lambda: caller_protocol(tls_context), count, prelude=prelude)
    (accepting,) = open_slots("127.0.0.1", 0, 1, "--edge-tls-port")
    gateway.tls_port = accepting.getsockname()[1]
    shaking.open(accepting)
    server = await loop.create_server(lambda: caller_protocol(context), "127.0.0.1", 0)
    gateway.port = server.sockets[0].getsockname()[1]
    gateway.apply(*changes)
    is_running = True

    def tick() -> None:
        if is_running:
            wheel.advance(now())
            gateway.judging.beat()
            for each in tuple(parts.advancing):
                each.advance(now())
            holder.tables.tick(now())
            loop.call_later(TICK_S, tick)

    tick()
    try:
        yield gateway
    finally:
        is_running = False
        server.close()
        shaking.abort()
        accepting.close()
        context.abort_all()
        tls_context.abort_all()
        for endpoint in holder.tables.endpoints.values():
            retire(endpoint)
        await until(lambda: not context.connections and not tls_context.connections, what="connections that end")


def _desks(lost: str, now: Callable[[], float]) -> dict[str, Desk]:
    """Of a worker that is alone on its host, which counts for it; without `lost` its limits are its own."""
    if not lost:
        return {}
    soon = asyncio.get_running_loop().call_soon
    ledger = Ledger()

    def send(number: int, budgets: list[Budget], asks: list[Ask]) -> None:
        grants = [ledger.assign(budgets[ask.budget], ask, ask.worker, 1, now()) for ask in asks]
        soon(host.answered, number, grants, 1)

    host = Desk("1", send, soon, now, workers=1)
    return {"mesh": Desk("1", lambda number, budgets, asks: None, soon, now, workers=1, lost=lost), "gateway": host}

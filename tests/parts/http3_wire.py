"""The gateway of tests/parts/wire.py with HTTP/3 beside it: a socket of datagrams, certificates by name."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.listeners.sockets import open_slots
from gateway.relay.deadline import TICK_S
from gateway.wire.connection_limits import StreamLimits
from gateway.wire.http3.endpoint import Endpoint
from gateway.wire.http3.quic import ResetTokens
from gateway.wire.listener_context import ListenerContext
from gateway.wire.server_names import ServerNames
from gateway.wire.tls import ServingContext, TlsFace, serving_context
from meshway.certificates import Pair, read_pair
from meshway.tls import load_pair
from tests.parts.authority import Authority
from tests.parts.conditions import until
from tests.parts.wire import Wire, wire

ROOT: Final = Authority()
KEY: Final = b"k" * 32


def pair(*names: str) -> Pair:
    issued = ROOT.issue(*names, days=30.0)
    return read_pair(issued.certificate, issued.key, 0.0)


def shown(*names: str) -> ServingContext:
    """What a handshake for these is shown."""
    made, one = serving_context("1.2", "none", None), pair(*names)
    load_pair(made, one)
    made.certificates, made.pairs = frozenset({("shop", names[0])}), (one,)
    return made


@dataclass
class Http3Wire:
    """context: of the callers of HTTP/3. handshakes: whether each failed. certificates: by host name."""

    context: ListenerContext
    endpoint: Endpoint
    port: int
    handshakes: list[bool] = field(default_factory=list)

    def show(self, certificates: dict[str, ServingContext], default: ServingContext | None = None) -> None:
        assert self.context.tls is not None
        self.context.tls.install(serving_context("1.2", "none", None), ServerNames(certificates, {}, default))


@dataclass
class WholeWire(Http3Wire):
    """gateway: as in tests/parts/wire.py, over TCP."""

    gateway: Wire = field(kw_only=True)


@asynccontextmanager
async def http3_wire(
    *ports: int, streams: StreamLimits | None = None, at_once: int = 64, **more: Any
) -> AsyncIterator[WholeWire]:
    """As `wire`, with its arguments."""
    async with wire(*ports, **more) as gateway, http3_beside(gateway.context, streams=streams, at_once=at_once) as made:
        yield WholeWire(made.context, made.endpoint, made.port, made.handshakes, gateway=gateway)


@asynccontextmanager
async def http3_beside(
    beside: ListenerContext, *, streams: StreamLimits | None = None, at_once: int = 64
) -> AsyncIterator[Http3Wire]:
    """The same by HTTP/3 as this listener serves."""
    loop, handshakes = asyncio.get_running_loop(), list[bool]()
    tls = TlsFace(time.time)
    tls.at_once = at_once
    context = ListenerContext(
        beside.face,
        beside.relay,
        beside.via_id,
        limits=beside.limits,
        trusted_proxies=beside.trusted_proxies,
        places=beside.places,
        tls=tls,
        name="edge-tls",
        spoken="http3",
    )
    context.http3 = streams or StreamLimits()
    (accepting,) = open_slots("127.0.0.1", 0, 1, "--port", is_udp=True)
    endpoint = Endpoint(loop, context, accepting, ResetTokens(KEY), handshakes.append, may_migrate=True)
    made = Http3Wire(context, endpoint, accepting.getsockname()[1], handshakes)
    made.show({"shop.example": shown("shop.example")})
    endpoint.open()
    is_running = True

    def beat() -> None:
        if is_running:
            endpoint.beat(time.monotonic())
            loop.call_later(TICK_S, beat)

    beat()
    try:
        yield made
    finally:
        is_running = False
        context.abort_all()
        await until(lambda: not context.connections, what="connections that end")
        endpoint.close()

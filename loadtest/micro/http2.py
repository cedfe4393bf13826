"""µs of our own code and nghttp2's per call that came by HTTP/2, without loop and kernel: Protocols on transports that
only keep bytes, fed with what a caller and a service said to each other before.

`http1` has its service by HTTP/1.1, `http2` and `grpc` (unary) by HTTP/2; `unique` is as `http2`, with another path and
trace in each call. Run: python -m loadtest.micro.http2 [profile] [calls]
"""

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import random
from typing import Any, Final, NamedTuple, cast

import msgspec

from gateway.compiler.tables import Compiler
from gateway.exchange import EDGE
from gateway.plan import Parts
from gateway.relay.deadline import TimerWheel
from gateway.relay.forwarding import Forwarding
from gateway.relay.relay import Relay
from gateway.routing.table import TablesHolder
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import Counters
from gateway.telemetry.finish import Finisher
from gateway.upstream.pool import Pool
from gateway.upstream.shared_pool import SharedPool
from gateway.wire.connection_limits import StreamLimits
from gateway.wire.http1.client import IDENTIFYING, ClientProtocol
from gateway.wire.http2.client import H2ClientProtocol
from gateway.wire.http2.codec import ClientCodec
from gateway.wire.http2.server import Http2Connection
from gateway.wire.http2.server_codec import ServerCodec
from gateway.wire.http2.upstream import Speaking
from gateway.wire.listener_context import ListenerContext
from gateway.wire.multiplexed.messages import Body, Fields, Request
from loadtest.micro.relay import ANSWER, Transport, changes_of, connected, refuse
from meshway.grpc_message import framed
from meshway.http1.field_lines import response_lines
from meshway.http1.head import HeadLimits
from meshway.snapshot import Change

AT_ONCE: Final = 10  # calls in one read, as of a caller with ten on their way
ROUNDS: Final = 5
LIMITS: Final = StreamLimits(requests=1 << 30)
WINDOW: Final = 1 << 20
HTTP2: Final = {"targets": [{"service": "upstream"}], "connection": {"http": "http2"}}
ANSWERED: Final = [
    (b":status", b"200"),
    (b"server", b"nginx"),
    (b"date", b"Tue, 24 Nov 2026 18:00:00 GMT"),
    (b"content-type", b"text/plain"),
    (b"content-length", b"13"),
]
GRPC_ANSWERED: Final = [(b":status", b"200"), (b"content-type", b"application/grpc"), ANSWERED[1], ANSWERED[2]]


class Kind(NamedTuple):
    """fields: of the request with this number. body, answer, trailers: b"" and [] = none."""

    fields: Callable[[int], Fields]
    body: bytes
    answered: Fields
    answer: bytes
    trailers: Fields
    is_multiplexed: bool


def get(path: bytes, *more: tuple[bytes, bytes]) -> Fields:
    return [
        (b":method", b"GET"), (b":path", path), (b":scheme", b"http"), (b":authority", b"127.0.0.1:8580"),
        (b"user-agent", b"h2load nghttp2/1.52.0"), *more,
    ]  # fmt: skip


def unique(number: int) -> Fields:
    return get(
        b"/books/%d?q=%d" % (number, number),
        (b"accept", b"application/json"),
        (b"accept-language", b"en"),
        (b"cookie", b"session=0123456789abcdef"),
        (b"x-request-id", b"%032x" % number),
        (b"traceparent", b"00-%032x-%016x-01" % (number, number)),
    )


BARE: Final = get(b"/")
GRPC: Final = [
    (b":method", b"POST"), (b":path", b"/bench.Greeter/Say"), (b":scheme", b"http"), (b":authority", b"127.0.0.1:8580"),
    (b"user-agent", b"grpc-go/1.76.0"), (b"content-type", b"application/grpc"), (b"te", b"trailers"),
]  # fmt: skip
KINDS: Final = {
    "http1": Kind(lambda _: BARE, b"", ANSWERED, b"Hello, World!", [], False),
    "http2": Kind(lambda _: BARE, b"", ANSWERED, b"Hello, World!", [], True),
    "unique": Kind(unique, b"", ANSWERED, b"Hello, World!", [], True),
    "grpc": Kind(
        lambda _: GRPC, framed(b"Hello"), GRPC_ANSWERED, framed(b"World"),
        [(b"grpc-status", b"0"), (b"grpc-message", b"")], True,
    ),
}  # fmt: skip


def conversation(kind: Kind, calls: int) -> list[tuple[bytes, bytes]]:
    """What a caller says, and what a service answers to it, in turns of AT_ONCE calls."""
    caller, service = ClientCodec(), ServerCodec(128, WINDOW, WINDOW)
    turns = []
    for at in range(0, calls, AT_ONCE):
        for number in range(at, at + AT_ONCE):
            caller.begin(kind.fields(number), kind.body)
        said = b"".join(iter(caller.take, b""))
        for event in service.receive(said):
            if isinstance(event, Body):
                service.consumed(event.stream, len(event.data))
            if isinstance(event, Request | Body) and event.ended:
                service.answer(event.stream, kind.answered, ended=False)
                service.send(event.stream, kind.answer, ended=not kind.trailers)
                if kind.trailers:
                    service.trail(event.stream, kind.trailers)
        told = b"".join(iter(service.take, b""))
        for event in caller.receive(told):
            if isinstance(event, Body):
                caller.consumed(event.stream, len(event.data))
        turns.append((said, told))
    return turns


class Gateway:
    """Between a caller and a service that exist as bytes only. As loadtest.micro.relay's Bench."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        now = time.monotonic
        wheel = TimerWheel(now())
        counters = Counters(folder / f"{len(list(folder.iterdir()))}.counters")
        compiler = Compiler(Parts(now=now, random=random, counters=counters))
        changes = changes_of("bare")
        if kind.is_multiplexed:
            changes.append(Change("put", "TrafficPolicy", "bench", "upstream", msgspec.Raw(msgspec.msgpack.encode({
                "apiVersion": "meshway/v1", "kind": "TrafficPolicy",
                "metadata": {"name": "upstream", "namespace": "bench"}, "spec": HTTP2,
            }))))  # fmt: skip
        assert compiler.snapshot(1, changes) == []
        (place,) = compiler.tables.endpoints.values()
        log = AccessLog("", 1 << 20, lambda _: None)
        self._finisher = Finisher(counters, log)
        lines = response_lines(drop=IDENTIFYING)
        speaking = Speaking(refuse, SharedPool(self._connect, wheel, now), HeadLimits(), lines)
        pool = Pool(speaking.connect, wheel, now, speaking.beside)
        relay = Relay(TablesHolder(compiler.tables), pool, wheel, now, self._finisher.finish)
        self._context = ListenerContext(EDGE, relay, b"meshway-micro")
        self._service: H2ClientProtocol | None = None
        self._clients = []
        self._idle = place.idle
        for _ in range(0 if kind.is_multiplexed else 2 * AT_ONCE):  # all but one call of the first turn come later
            client = ClientProtocol(place, HeadLimits(), lines)
            connected(client)
            place.idle.append(client)
            self._clients.append(client)

    def _connect(self, endpoint: Any, on_connected: Callable[[Any], None], *_: object) -> Callable[[], None]:
        self._service = H2ClientProtocol(asyncio.get_running_loop(), ClientCodec())
        connected(self._service)
        on_connected(self._service)
        return lambda: None

    async def round(self, turns: list[tuple[bytes, bytes]]) -> float:
        """µs of CPU per call of a new connection, whoever else wants the core."""
        transport, forwarding = Transport(), Forwarding("127.0.0.1", b"http", 8580, b"meshway-micro")
        if self._service is not None:
            self._service.retire()
        connection = Http2Connection(
            self._context, cast(asyncio.Transport, transport), "127.0.0.1", forwarding, None, LIMITS
        )
        self._context.enter(connection, "127.0.0.1", -1, is_limited=True)
        gc.collect()
        began = time.process_time()
        for number, (said, told) in enumerate(turns):
            connection.data_received(said)
            await asyncio.sleep(0)
            if self._service is not None:
                self._service.data_received(told)
            for client in self._clients:
                if client not in self._idle:
                    client.data_received(ANSWER)
            await asyncio.sleep(0)
            if not number % 100:
                self._finisher.flush()
        took = (time.process_time() - began) / len(turns) / AT_ONCE * 1e6
        assert not connection.is_busy
        assert transport.sent
        connection.connection_lost(None)
        return took


def measure(kind: Kind, calls: int, folder: Path) -> float:
    """µs per call, the best round."""

    async def run() -> float:
        gateway, turns = Gateway(kind, folder), conversation(kind, calls)
        return min([await gateway.round(turns) for _ in range(ROUNDS)])

    return asyncio.run(run())


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            if wanted in ("", name):
                print(f"{name:<8}{measure(kind, calls, Path(folder)):6.2f} µs", flush=True)


if __name__ == "__main__":
    main()

"""µs of our own code per proxied call, without loop and kernel: both Protocols on transports that only keep bytes.

Tables are compiled from the benchmark's own documents (configs/meshway.*.yaml); metrics are counted, `full` and `told`
write their access log to /dev/null, and `told` records and tells of single calls as a worker does.
Run: python -m loadtest.micro.relay [profile] [calls]
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import random
from typing import Any, Final, cast

import msgspec

from gateway.compiler.tables import Compiler
from gateway.exchange import EDGE
from gateway.plan import Parts
from gateway.relay.deadline import TimerWheel
from gateway.relay.relay import Relay
from gateway.routing.table import TablesHolder
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import Counters
from gateway.telemetry.finish import Finisher
from gateway.telemetry.recorder import Recorder
from gateway.telemetry.telling import Telling
from gateway.upstream.pool import Pool
from gateway.wire.http1.client import IDENTIFYING, ClientProtocol
from gateway.wire.http1.server import ServerProtocol
from gateway.wire.listener_context import ListenerContext
from meshway.formats.yaml_documents import read_documents
from meshway.http1.field_lines import response_lines
from meshway.http1.head import HeadLimits
from meshway.snapshot import Change

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 18:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 13\r\n\r\nHello, World!"
)
BARE = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8580\r\n\r\n"
CLOSE = BARE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
UNIQUE = (
    b"GET /books/%d?q=%d HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: application/json\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n"
    b"x-request-id: %032x\r\ntraceparent: 00-%032x-%016x-01\r\n\r\n"
)
ROUNDS: Final = 5
PER_BEAT: Final = 1_000  # calls in 50 ms, about what a core carries
CONFIGS: Final = Path(__file__).parents[1] / "configs"


class Transport:
    """Takes everything at once."""

    def write(self, data: bytes) -> None:
        self.sent = data

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 8580)}.get(name)

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


def connected(protocol: asyncio.Protocol) -> Transport:
    transport = Transport()
    protocol.connection_made(cast(asyncio.Transport, transport))
    return transport


class Bench:
    """A gateway between a caller and a service that exist as two Protocols only. changes: what its tables are made of.

    There is one instance, with one connection that is kept.
    """

    def __init__(self, changes: Sequence[Change], folder: Path, log: str = "", *, tells: bool = False) -> None:
        """log: where the access log goes, "" = nowhere. tells: of single calls, too."""
        now = time.monotonic
        wheel = TimerWheel(now())
        counters = Counters(folder / f"{len(list(folder.iterdir()))}.counters")
        self._log = AccessLog(log, 1 << 20, lambda _: None)
        compiler = Compiler(Parts(now=now, random=random, counters=counters))
        assert compiler.snapshot(1, changes) == []
        (place,) = compiler.tables.endpoints.values()
        recorder = Recorder(folder / "recorded") if tells else None
        self._telling = Telling(counters, self._log.writer, lambda: 1, keeps_lines=True) if tells else None
        self._finisher = Finisher(counters, self._log, recorder, self._telling)
        relay = Relay(TablesHolder(compiler.tables), Pool(refuse, wheel, now), wheel, now, self._finisher.finish)
        self._listener = ListenerContext(EDGE, relay, b"meshway-micro")
        self._server = ServerProtocol(self._listener)
        self._client = ClientProtocol(place, HeadLimits(), response_lines(drop=IDENTIFYING))
        self._caller = connected(self._server)
        connected(self._client)
        place.idle.append(self._client)

    def round(self, requests: Sequence[bytes], answer: bytes = ANSWER) -> float:
        """Asks all on one connection; µs of CPU per call, whoever else wants the core."""
        server, client, finisher, log = self._server, self._client, self._finisher, self._log
        began = time.process_time()
        for at in range(0, len(requests), PER_BEAT):
            for request in requests[at : at + PER_BEAT]:
                server.data_received(request)
                client.data_received(answer)
            finisher.flush()
            log.beat()
            if self._telling is not None:
                self._telling.take()
        return (time.process_time() - began) / len(requests) * 1e6

    def fresh(self, requests: Sequence[bytes]) -> float:
        """As `round`, on a connection for each call."""
        client, finisher, log = self._client, self._finisher, self._log
        began = time.process_time()
        for at in range(0, len(requests), PER_BEAT):
            for request in requests[at : at + PER_BEAT]:
                server = ServerProtocol(self._listener)
                self._caller = connected(server)
                server.data_received(request)
                client.data_received(ANSWER)
                server.connection_lost(None)
            finisher.flush()
            log.beat()
        return (time.process_time() - began) / len(requests) * 1e6

    def hits(self, requests: Sequence[bytes]) -> float:
        """As `round`, of calls that the service does not hear of."""
        server = self._server
        began = time.process_time()
        for at in range(0, len(requests), PER_BEAT):
            for request in requests[at : at + PER_BEAT]:
                server.data_received(request)
            self._finisher.flush()
            self._log.beat()
        return (time.process_time() - began) / len(requests) * 1e6

    def close(self) -> None:
        self._log.close()
        assert self._caller.sent.startswith(b"HTTP/1.1 200 OK")


def measure(requests: list[bytes], profile: str, folder: Path, *, tells: bool = False, is_fresh: bool = False) -> float:
    """µs per call, the best round. is_fresh: each has a connection of its own."""
    log = "/dev/null" if tells or profile == "full" else ""
    bench = Bench(changes_of(profile), folder, log, tells=tells)
    ask = bench.fresh if is_fresh else bench.round
    best = min(ask(requests) for _ in range(ROUNDS))
    bench.close()
    return best


def changes_of(profile: str) -> list[Change]:
    text = (CONFIGS / f"meshway.{profile}.yaml").read_text().replace("{{upstream_port}}", "9000")
    changes = []
    for document in read_documents(text):
        assert document.key is not None
        kind, namespace, name = document.key
        value = msgspec.Raw(msgspec.msgpack.encode(document.raw))
        changes.append(Change("put", kind, namespace or "default", name, value))
    return changes


def refuse(*_: object) -> Any:
    raise AssertionError("the connection is kept")


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    unique = [UNIQUE % ((n,) * 5) for n in range(1, calls + 1)]
    with tempfile.TemporaryDirectory() as folder:
        for name, profile, requests in (
            ("get", "bare", [BARE] * calls),
            ("new", "bare", [CLOSE] * calls),
            ("unique", "bare", unique),
            ("told", "bare", unique),
            ("full", "full", unique),
        ):
            if wanted in ("", name):
                us = measure(requests, profile, Path(folder), tells=name == "told", is_fresh=name == "new")
                print(f"{name:<8}{us:6.2f} µs")


if __name__ == "__main__":
    main()

"""µs of our own code per proxied call, without loop and kernel: both Protocols on transports that only keep bytes.

Run: python -m loadtest.micro.relay [calls]
"""

import asyncio
import sys
import time
from typing import Any, cast

from gateway.exchange import EDGE
from gateway.relay.deadline import TimerWheel
from gateway.relay.relay import Relay
from gateway.routing.table import TablesHolder
from gateway.upstream.pool import Pool
from gateway.wire.http1.client import IDENTIFYING, ClientProtocol
from gateway.wire.http1.listener_context import ListenerContext
from gateway.wire.http1.server import ServerProtocol
from meshway.http1.field_lines import response_lines
from meshway.http1.head import HeadLimits
from tests.parts.one_route import OneRoute, cluster, endpoint, plan, retry_plan

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 18:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 13\r\n\r\nHello, World!"
)
BARE = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8580\r\n\r\n"
UNIQUE = (
    b"GET /books/%d?q=%d HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: application/json\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n"
    b"x-request-id: %032x\r\ntraceparent: 00-%032x-%016x-01\r\n\r\n"
)
ROUNDS = 5


class _Transport:
    """Takes everything at once."""

    def write(self, data: bytes) -> None:
        self.sent = data

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 40000) if name == "peername" else ("127.0.0.1", 8580)

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


def _connected(protocol: asyncio.Protocol) -> _Transport:
    transport = _Transport()
    protocol.connection_made(cast(asyncio.Transport, transport))
    return transport


def measure(requests: list[bytes]) -> float:
    """µs per call, the best round. Each round asks all requests on one connection."""
    now = time.monotonic
    wheel = TimerWheel(now())
    place = endpoint(1)
    target = cluster(place, now=now)
    tables = TablesHolder(OneRoute(plan(target, retry=retry_plan())))  # type: ignore[arg-type]  # a table of one route
    relay = Relay(tables, Pool(_refuse, wheel, now), wheel, now, lambda *_: None)
    server = ServerProtocol(ListenerContext(EDGE, relay, b"meshway-micro"))
    client = ClientProtocol(place, HeadLimits(), response_lines(drop=IDENTIFYING))
    caller = _connected(server)
    _connected(client)
    place.idle.append(client)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for request in requests:
            server.data_received(request)
            client.data_received(ANSWER)
        best = min(best, time.perf_counter() - began)
    assert caller.sent.startswith(b"HTTP/1.1 200 OK")
    return best / len(requests) * 1e6


def _refuse(*_: object) -> Any:
    raise AssertionError("the connection is kept")


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print(f"bare get     {measure([BARE] * calls):6.2f} µs")
    print(f"bare unique  {measure([UNIQUE % ((n,) * 5) for n in range(1, calls + 1)]):6.2f} µs")


if __name__ == "__main__":
    main()

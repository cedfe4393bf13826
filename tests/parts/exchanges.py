"""Exchanges as they stand at the end of a call, for what is told of them."""

from typing import Any

from gateway.exchange import MESH, Exchange
from gateway.plan import RoutePlan
from gateway.upstream.endpoint import Endpoint
from meshway.http1.head import HeadLimits, RequestReader
from meshway.model.instance import Instance
from tests.parts.one_route import cluster

NEVER = float("inf")


def plan(route: str = "default/books", rule: str = "all", slot: int = 0) -> RoutePlan:
    return RoutePlan(route, rule, slot, (), (), None, None, NEVER, NEVER, NEVER, NEVER, NEVER)


def endpoint(identity: str, service: str = "books") -> Endpoint:
    return Endpoint(Instance(namespace="default", service=service, id=identity, address="127.0.0.1", port=9000))


def ended(
    path: bytes = b"/books",
    *,
    status: int = 200,
    started: float = 100.0,
    tried: tuple[str, ...] = ("b1",),
    **slots: Any,
) -> Exchange:
    """A call of the mesh listener, served by the last of `tried`. slots: further fields to set."""
    head = RequestReader(HeadLimits()).read(b"GET %b?secret=1 HTTP/1.1\r\nHost: books.default.mesh\r\n\r\n" % path)
    assert head is not None
    exchange = Exchange(head, MESH, "10.0.0.7", started)
    exchange.path = path
    exchange.query = b"?secret=1"
    exchange.status = status
    exchange.plan = plan()
    exchange.cluster = cluster(now=lambda: started)
    attempts = [endpoint(identity) for identity in tried]
    exchange.attempts = len(attempts)
    exchange.endpoint = attempts.pop() if attempts else None
    exchange.tried = tuple(attempts)
    exchange.request_id = b"request-1"
    exchange.traceparent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for name, value in slots.items():
        setattr(exchange, name, value)
    return exchange

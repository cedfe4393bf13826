"""Exchanges as the wire would make them, without a wire."""

from gateway.exchange import EDGE, Exchange
from gateway.routing.path import canonical
from meshway.http1.head import HeadLimits, RequestReader


def call(
    target: str = "/",
    host: str = "shop.example",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    *,
    listener: int = EDGE,
    peer: str = "127.0.0.1",
) -> Exchange:
    """A request that was read and whose path was made canonical."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    text = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"
    head = RequestReader(HeadLimits()).read(text.encode())
    assert head is not None
    exchange = Exchange(head, listener, peer, 0.0)
    exchange.path, exchange.query = canonical(head.target)
    return exchange

from typing import Any

import pytest

from gateway.exchange import EDGE, MESH, Exchange, Reply
from gateway.filters.websocket import compile_filter
from meshway.http1.head import HeadLimits, RequestReader
from meshway.model.match import StringMatch
from meshway.model.websocket import WebSocket
from tests.parts.websocket import handshake


def exchange(more: str = "", *, listener: int = EDGE, host: str = "shop.example:8580") -> Exchange:
    head = RequestReader(HeadLimits()).read(handshake(more, host))
    assert head is not None
    return Exchange(head, listener, "127.0.0.1", 0.0)


def judged(more: str = "", listener: int = EDGE, host: str = "shop.example:8580", **block: Any) -> str:
    verdict = compile_filter(WebSocket(**block), "rule chat")(exchange(more, listener=listener, host=host))
    assert verdict is None or isinstance(verdict, Reply)
    return "" if verdict is None else verdict.reason


@pytest.mark.parametrize(
    ("origin", "host", "reason"),
    [
        ("http://shop.example", "shop.example:8580", ""),
        ("https://SHOP.example", "shop.example", ""),
        ("http://[::1]:3000", "[::1]:8580", ""),
        ("http://[::1]:3000", "[::2]:8580", "websocket_origin"),
        ("http://other.example", "shop.example", "websocket_origin"),
        ("null", "shop.example", "websocket_origin"),
        ("shop.example", "shop.example", "websocket_origin"),
    ],
)
def test_on_the_edge_a_page_may_call_its_own_host(origin: str, host: str, reason: str) -> None:
    assert judged(f"Origin: {origin}\r\n", host=host) == reason
    assert judged(f"Origin: {origin}\r\n", MESH, host=host) == ""
    assert judged(f"Origin: {origin}\r\n", MESH, host=host, origins="same_host") == reason


def test_named_pages_may_call_and_no_others_not_even_our_own() -> None:
    origins = ("https://a.example", StringMatch(suffix=".b.example"))
    assert judged("Origin: https://a.example\r\n", origins=origins) == ""
    assert judged("Origin: https://x.b.example\r\n", MESH, origins=origins) == ""
    assert judged("Origin: http://shop.example\r\n", origins=origins) == "websocket_origin"


def test_subprotocols_that_may_not_be_spoken_are_taken_out() -> None:
    websocket = compile_filter(WebSocket(subprotocols=("a", "b")), "rule chat")
    asking = exchange("Sec-WebSocket-Protocol: b, c\r\nSec-WebSocket-Protocol: a\r\n")
    assert websocket(asking) is None
    assert asking.block.endswith(b"Sec-WebSocket-Protocol: b, a\r\n")
    untouched = exchange("Sec-WebSocket-Protocol: b\r\n")
    block = untouched.block
    assert websocket(untouched) is None
    assert untouched.block is block
    assert judged("Sec-WebSocket-Protocol: c\r\n", subprotocols=("a",)) == "websocket_subprotocol"


def test_other_calls_are_none_of_its_business() -> None:
    head = RequestReader(HeadLimits()).read(b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\n\r\n")
    assert head is not None
    for block in (WebSocket(), WebSocket(allow=False)):
        assert compile_filter(block, "rule chat")(Exchange(head, EDGE, "127.0.0.1", 0.0)) is None
    assert judged(allow=False) == "websocket_denied"

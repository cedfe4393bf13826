from dataclasses import replace

import pytest

from gateway.exchange import MESH, Exchange
from gateway.wire.heads import request_head
from gateway.wire.multiplexed.asking import MOST_BLOCKS, FieldBlocks, request_fields
from meshway.http1.fields import find
from tests.parts.calls import call
from tests.parts.exchanges import plan

OF_A_CONNECTION = (b"connection", b"transfer-encoding", b"upgrade")


def asked(method: str = "GET", headers: dict[str, str] | None = None) -> Exchange:
    exchange = call("/a//b?q=1", method=method, headers=headers)
    exchange.request_id, exchange.traceparent, exchange.attempts = b"order-4711", b"00-a-b-01", 1
    exchange.forwarded = b"Via: 2.0 x\r\nX-Forwarded-For: 192.0.2.1\r\n"
    return exchange


def as_text_says(exchange: Exchange, left_ms: int) -> list[tuple[bytes, bytes]]:
    start, *lines = request_head(exchange, left_ms).removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, path, _ = start.split(b" ")
    pairs = [line.partition(b":") for line in lines]
    fields = [(name.lower(), value.strip()) for name, _, value in pairs]
    assert fields[0][0] == b"host"
    pseudo = [(b":method", method), (b":scheme", b"http"), (b":authority", fields[0][1]), (b":path", path)]
    return pseudo + [field for field in fields[1:] if field[0] not in OF_A_CONNECTION]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Accept": "text/plain", "Connection": "x-hop", "X-Hop": "1", "Cookie": "a=1"}),
        ("POST", {}),
        ("POST", {"Content-Length": "7"}),
        ("POST", {"Transfer-Encoding": "chunked"}),
        ("GET", {"TE": "trailers"}),
        ("GET", {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "a"}),
        ("GET", {"meshway-criticality": "sheddable"}),
    ],
)
@pytest.mark.parametrize("left_ms", [-1, 1500])
def test_a_service_is_asked_by_fields_as_it_would_be_by_text(
    method: str, headers: dict[str, str], left_ms: int
) -> None:
    blocks = FieldBlocks()
    for attempts in (1, 2):
        exchange = asked(method, headers)
        exchange.attempts, exchange.listener, exchange.plan = attempts, MESH, replace(plan())
        fields = request_fields(exchange, b"http", left_ms, b"", blocks)
        assert sorted(fields) == sorted(as_text_says(exchange, left_ms))
        assert [name[:1] for name, _ in fields[:5]] == [b":", b":", b":", b":", fields[4][0][:1]]
        assert fields[4][0][:1] != b":"


def test_a_service_of_grpc_is_told_how_long_its_answer_may_take_each_time_anew() -> None:
    blocks = FieldBlocks()
    for left_ms in (1500, 700, -1):
        fields = request_fields(asked(headers={"grpc-timeout": "2S"}), b"http", left_ms, b"", blocks)
        assert dict(fields)[b"grpc-timeout"] == (b"%dm" % left_ms if left_ms > 0 else b"2S")


def test_requests_with_one_block_are_asked_each_by_what_is_its_own() -> None:
    blocks = FieldBlocks()
    for _ in range(2):
        for method, authority, way, wants in (
            ("GET", b"a.example", b"Via: 2.0 x\r\n", False),
            ("HEAD", b"a.example", b"Via: 2.0 x\r\n", False),
            ("GET", b"b.example", b"Via: 2.0 x\r\n", False),
            ("GET", b"b.example", b"Via: 1.1 x\r\n", False),
            ("GET", b"b.example", b"Via: 1.1 x\r\n", True),
        ):
            exchange = asked(method)
            exchange.authority, exchange.forwarded, exchange.head.te_trailers = authority, way, wants
            assert sorted(request_fields(exchange, b"http", 9, b"", blocks)) == sorted(as_text_says(exchange, 9))


@pytest.mark.parametrize("more", [{}, {"accept": "a"}, {"x-a": "not grpc-timeout: 1S"}])
def test_calls_whose_time_alone_differs_are_told_apart_once(more: dict[str, str]) -> None:
    blocks = FieldBlocks()
    for number in range(3):
        exchange = asked("POST", {"content-type": "application/grpc", **more, "grpc-timeout": f"{9_000 - number}m"})
        fields = dict(request_fields(exchange, b"http", 8_000 - number, b"", blocks))
        assert fields[b"grpc-timeout"] == b"%dm" % (8_000 - number)
        assert fields[b"content-type"] == b"application/grpc"
        assert [fields.get(name.encode()) for name in more] == [value.encode() for value in more.values()]
    assert len(blocks._alike) == 1


def test_of_blocks_only_so_many_are_known_and_long_ones_never() -> None:
    blocks = FieldBlocks()
    first = blocks.read(b"X: 1\r\n")
    assert first == [(b"x", b"1")]
    assert blocks.read(b"X: 1\r\n") is first
    for number in range(MOST_BLOCKS):
        blocks.read(b"Y: %d\r\n" % number)
    assert blocks.read(b"X: 1\r\n") is not first
    long = b"Z: %b\r\n" % (b"z" * 4_000)
    assert blocks.read(long) is not blocks.read(long)
    assert find(long, b"z") == blocks.read(long)[0][1]


def test_a_service_of_grpc_is_told_what_is_left_also_where_its_caller_says_nothing_of_time() -> None:
    grpc, text = {"Content-Type": "application/grpc+proto"}, {"Content-Type": "text/plain"}
    waits = {"grpc-timeout": "9S"}
    for headers, left_ms, told in (
        (grpc, 1_500, [b"1500m"]),
        (grpc | waits, 1_500, [b"1500m"]),
        (waits, 1_500, [b"1500m"]),
        (grpc | waits, -1, [b"9S"]),
        (text, 1_500, []),
    ):
        fields = request_fields(asked("POST", headers), b"http", left_ms, b"a:1", FieldBlocks())
        assert [value for name, value in fields if name == b"grpc-timeout"] == told

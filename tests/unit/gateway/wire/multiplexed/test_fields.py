import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.heads import answer_head
from gateway.wire.multiplexed.fields import (
    accepted_fields,
    answer_fields,
    answer_text,
    connect_fields,
    passed_fields,
    request_text,
    switching_text,
    trailer_block,
)
from gateway.wire.websocket.handshake import request_fault
from meshway.http1.fields import find
from meshway.http1.head import HeadError, HeadLimits, RequestReader, ResponseReader
from meshway.http1.message import CHUNKED, NO_BODY
from tests.parts.calls import call

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop.example"), (b":path", b"/a?b=1")]


def test_a_request_is_that_of_http_1() -> None:
    text = request_text([*GET, (b"cookie", b"a=1"), (b"x-team", b"shop"), (b"cookie", b"b=2")], ended=True)
    assert text == b"GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\nx-team: shop\r\nCookie: a=1; b=2\r\n\r\n"


@pytest.mark.parametrize(
    ("more", "ended", "body"),
    [
        ([], True, NO_BODY),
        ([], False, CHUNKED),
        ([(b"content-length", b"7")], False, 7),
        ([(b"content-length", b"0")], True, 0),
    ],
)
def test_a_body_is_announced_as_the_request_says(more: list[tuple[bytes, bytes]], ended: bool, body: int) -> None:
    head = RequestReader(HeadLimits()).read(request_text([*GET, *more], ended=ended))
    assert head is not None
    assert head.body == body


def test_trailers_are_wanted_only_as_this_hop_says_it() -> None:
    head = RequestReader(HeadLimits()).read(request_text([*GET, (b"te", b"trailers")], ended=True))
    assert head is not None
    assert head.te_trailers
    assert b"te" not in head.block.lower()


@pytest.mark.parametrize(
    "fields",
    [
        [*GET, (b"host", b"other.example")],
        [*GET[1:], (b":method", b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\nGET")],
        [*GET, (b"x", b"1\r\ny: 2")],
        [*GET, (b"x", b"1\n")],
        [*GET, (b"x\r\ny", b"1")],
        [*GET[:3], (b":path", b"/a HTTP/1.1")],
        [*GET[:3], (b":path", b"a")],
        [*GET[:3], (b":path", b"*")],
        [GET[0], (b":scheme", b"file"), *GET[2:]],
        GET[:3],
    ],
)
def test_what_is_no_request_of_ours_is_refused(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(HeadError):
        RequestReader(HeadLimits()).read(request_text(fields, ended=True))


VALUES = st.binary(max_size=12) | st.sampled_from([b"\r\n\r\n", b"chunked", b"a: b\r\n", b"/x", b"GET", b"h"])
NAMES = st.sampled_from(
    [b":method", b":scheme", b":authority", b":path", b"host", b"cookie", b"te", b"content-length", b"x"]
) | st.binary(min_size=1, max_size=6)


@given(more=st.lists(st.tuples(NAMES, VALUES), max_size=6), ended=st.booleans())
def test_whatever_comes_is_one_head_or_none(more: list[tuple[bytes, bytes]], ended: bool) -> None:
    """And what a caller calls a path or a value begins nothing else."""
    try:
        text = request_text([*GET, *more], ended=ended)
        head = RequestReader(HeadLimits()).read(text)
    except HeadError:
        return
    assert head is not None
    assert head.head_size == len(text)
    paths = [value for name, value in (*GET, *more) if name == b":path"]
    methods = [value for name, value in (*GET, *more) if name == b":method"]
    assert (head.method, head.target) == (methods[-1], paths[-1])


def test_trailers_that_would_be_more_are_refused_and_those_of_this_hop_left_out() -> None:
    assert trailer_block([(b"x-sum", b"1"), (b"content-length", b"3"), (b"transfer-encoding", b"chunked")]) == (
        b"x-sum: 1\r\n"
    )
    with pytest.raises(HeadError):
        trailer_block([(b"x", b"1\r\ny: 2")])


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize(("method", "status"), [(b"HEAD", b"200"), (b"GET", b"304"), (b"GET", b"204")])
def test_an_answer_that_has_no_body_says_nothing_of_one(method: bytes, status: bytes, ended: bool) -> None:
    head = ResponseReader(HeadLimits()).read(answer_text([(b":status", status)], method, ended=ended), 0, method)
    assert head is not None
    assert (head.body, head.content_length) == (NO_BODY, None)


CONNECT = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/chat"),
    (b"sec-websocket-version", b"13"),
]


def test_an_extended_connect_is_a_handshake_with_a_key_of_ours() -> None:
    keys = set()
    for fields in (CONNECT, [*CONNECT, (b"sec-websocket-key", b"the caller's")]):
        head = RequestReader(HeadLimits()).read(request_text(fields, ended=False))
        assert head is not None
        assert (head.method, head.target, head.upgrade, head.body) == (b"GET", b"/chat", b"websocket", NO_BODY)
        assert request_fault(head.block) is None
        keys.add(find(head.block, b"sec-websocket-key"))
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("fields", "ended", "status"),
    [
        (CONNECT, True, 400),
        ([*CONNECT, (b"content-length", b"5")], False, 400),
        ([(name, b"connect-udp" if name == b":protocol" else value) for name, value in CONNECT], False, 501),
        ([*CONNECT, (b"x", b"a\r\nb: c")], False, 400),
        ([(name, b"no path" if name == b":path" else value) for name, value in CONNECT], False, 400),
    ],
)
def test_what_cannot_be_connected_is_refused(fields: list[tuple[bytes, bytes]], ended: bool, status: int) -> None:
    with pytest.raises(HeadError) as refused:
        request_text(fields, ended=ended)
    assert refused.value.status == status


def test_a_handshake_becomes_an_extended_connect_and_its_answer_a_101_again() -> None:
    pseudo = [(b":scheme", b"http"), (b":authority", b"a.example"), (b":path", b"/chat")]
    version = (b"sec-websocket-version", b"13")
    asked = connect_fields([(b":method", b"GET"), *pseudo, version, (b"sec-websocket-key", b"ours")])
    assert asked == [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *pseudo, version]
    said = [(b":status", b"200"), (b"sec-websocket-protocol", b"mqtt")]
    head = ResponseReader(HeadLimits()).read(switching_text(said, b"accepted"), 0, b"GET")
    assert head is not None
    assert (head.status, head.upgrade) == (101, b"websocket")
    assert head.block == b"Sec-WebSocket-Accept: accepted\r\nsec-websocket-protocol: mqtt\r\n"
    switching = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + head.block + b"\r\n"
    assert accepted_fields(switching) == said
    with pytest.raises(HeadError):
        switching_text([(b":status", b"200"), (b"x", b"a\r\nb: c")], b"accepted")


@pytest.mark.parametrize(
    "more", [b"", b"Date: Tue, 24 Nov 2026 18:00:00 GMT\r\n", b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"]
)
@pytest.mark.parametrize("framing", [b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_an_answer_is_passed_on_as_http_1_would_have_it(more: bytes, framing: bytes) -> None:
    text = b"HTTP/1.1 203 Sure\r\nX-Kind: Plain \r\n%b%b\r\n" % (more, framing)
    head = ResponseReader(HeadLimits()).read(text, 0, b"GET")
    assert head is not None
    exchange = call("/")
    exchange.added = b"X-Added: a: b\r\nStrict-Transport-Security: max-age=1\r\n"
    for exchange.request_id in (b"order-4711", b"order-4712"):
        both = [
            (
                answer_fields(answer_head(exchange, head, b"Via: 1.1 meshway-a\r\n", b"")),
                passed_fields(exchange, head, b"1.1 meshway-a"),
            )
            for _ in range(2)  # a Date of ours may fall into two seconds, once
        ]
        assert any(as_text == passed for as_text, passed in both), both

"""Differential fuzzing: what a caller's frames say to us beside what they say to hyper-h2.

One-sided: a request that we take is one that it takes, with the same fields; we may refuse more. And whatever comes,
a reader of HTTP/1.1 (h11) finds one request in the head that we make of it.
"""

from itertools import pairwise

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.exchange import EDGE, Exchange
from gateway.routing.path import PathError, canonical
from gateway.wire.http2.codec import ClientCodec, H2Fault
from gateway.wire.http2.frame_guard import FrameGuard
from gateway.wire.http2.server_codec import ServerCodec
from gateway.wire.multiplexed.asking import FieldBlocks, request_fields
from gateway.wire.multiplexed.fields import request_text
from gateway.wire.multiplexed.messages import Fields, Request
from meshway.http1.field_lines import request_lines
from meshway.http1.head import HeadError, HeadLimits, RequestReader
from tests.parts.http2_caller import LOOSE

THEIRS = h2.config.H2Configuration(client_side=False, header_encoding=None)
NAMES = (
    *(b":method", b":path", b":scheme", b":authority", b":protocol", b":status", b"host", b"cookie", b"te", b"x-a"),
    *(
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"upgrade",
        b"x_a",
        b"X-A",
        b"x a",
        b"x:a",
        b"",
        b"x\r\n",
    ),
    *(b"meshway-token", b"x-forwarded-for", b"grpc-timeout", b"meshway-deadline", b"expect"),
)
VALUES = (
    *(b"GET", b"POST", b"CONNECT", b"/", b"/a?b=c", b"*", b"/a b", b"http", b"https", b"shop.example", b"b.example:80"),
    *(b"0", b"5", b"5, 5", b"+5", b"chunked", b"trailers", b"close", b"websocket", b"", b" a", b"a ", b"a\tb", b"2S"),
    *(b"a\r\nx-b: c", b"a\nb", b"a\rb", b"\x00", b"\x7f", b"\xff", b"a\r\n\r\nGET /x HTTP/1.1\r\n", b"u@h", b"a,b"),
)
# hyper-h2 takes a head with a status of 1xx for an interim answer, and would not send it as a request.
fields = st.tuples(
    st.sampled_from(NAMES) | st.binary(max_size=4), st.sampled_from(VALUES) | st.binary(max_size=6)
).filter(lambda field: field[0] != b":status" or not field[1].startswith(b"1"))
BASE = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"shop.example"), (b":path", b"/a?b=c")]


@st.composite
def heads(draw: st.DrawFn) -> Fields:
    """One that is mostly good: some of its fields are others, more, or in another order."""
    found = list(BASE)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(found)))
        found[at : at + draw(st.integers(0, 1))] = [draw(fields)]
    return found


@st.composite
def talks(draw: st.DrawFn, most: int = 3) -> bytes:
    """What a caller sends: some requests with bodies and trailers, and a few of its bytes wrong."""
    caller = h2.connection.H2Connection(LOOSE)
    caller.initiate_connection()
    for number in range(draw(st.integers(1, most))):
        stream, kind = 1 + 2 * number, draw(st.integers(0, 3))
        caller.send_headers(stream, draw(heads()), end_stream=kind == 0)
        if kind:
            caller.send_data(stream, b"x" * draw(st.sampled_from((0, 4, 5))), end_stream=kind == 1)
        if kind == 2:
            caller.send_headers(stream, [draw(fields)], end_stream=True)
    data = bytearray(caller.data_to_send())
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(24, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


def taken(data: bytes, cuts: list[int]) -> list[tuple[int, Fields, bytes, bool]]:
    """Stream, fields, head and whether it has no body, of each request that we go on with."""
    codec, guard, reader = ServerCodec(100, 65_536, 65_536), FrameGuard(), RequestReader(HeadLimits(), lines=LINES)
    found = []
    bounds = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    for begin, end in pairwise(bounds):
        if guard.fault(data[begin:end]):
            break
        try:
            events = codec.receive(data[begin:end])
        except H2Fault:
            break
        for event in events:
            if isinstance(event, Request):
                is_bare = event.ended and not event.first
                try:
                    text = request_text(event.fields, ended=is_bare)
                    head = reader.read(text)
                except HeadError:
                    continue
                assert head is not None
                assert head.head_size == len(text)
                found.append((event.stream, event.fields, text, is_bare))
    return found


LINES = request_lines()


def as_hyper_reads(data: bytes) -> dict[int, list[tuple[bytes, bytes]]]:
    """By stream. Frame by frame: it takes nothing of what came with a fault."""
    theirs = h2.connection.H2Connection(THEIRS)
    theirs.initiate_connection()
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    at = 24
    pieces = [data[:at]]
    while at < len(data):
        end = at + 9 + int.from_bytes(data[at : at + 3], "big")
        pieces.append(data[at:end])
        at = end
    for piece in pieces:
        try:
            events = theirs.receive_data(piece)
        except (h2.exceptions.ProtocolError, UnicodeDecodeError):
            break
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                found[event.stream_id or 0] = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
    return found


def as_h11_reads(text: bytes) -> h11.Request:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=10**6)
    connection.receive_data(text)
    event = connection.next_event()
    assert isinstance(event, h11.Request), text
    if b"\r\nTransfer-Encoding: chunked\r\n" not in text and b"content-length" not in text:
        connection.next_event()
        assert connection.trailing_data[0] == b"", text
    return event


fuzz = settings(suppress_health_check=list(HealthCheck))


@pytest.mark.fuzz
@fuzz
@given(talks(1), st.lists(st.integers(0, 2_000), max_size=4))
def test_what_we_take_hyper_h2_takes_alike(data: bytes, cuts: list[int]) -> None:
    """Of one request: for what is wrong with one, it ends the connection."""
    theirs = as_hyper_reads(data)
    for stream, ours, text, _ in taken(data, cuts):
        assert stream in theirs, (stream, text)
        assert merged(ours) == merged(theirs[stream])
        as_h11_reads(text)


def merged(fields: Fields) -> list[tuple[bytes, bytes]]:
    """Crumbs of a cookie are one field (RFC 9113 §8.2.3)."""
    crumbs = b"; ".join(value for name, value in fields if name == b"cookie")
    return [field for field in fields if field[0] != b"cookie"] + ([(b"cookie", crumbs)] if crumbs else [])


@pytest.mark.fuzz
@fuzz
@given(talks(), st.lists(st.integers(0, 2_000), max_size=4))
def test_it_is_the_same_however_it_comes_in_pieces(data: bytes, cuts: list[int]) -> None:
    whole, parts = taken(data, []), taken(data, cuts)
    # A fault takes what came with it along: in pieces, more may be begun before it.
    assert whole == parts[: len(whole)]


PARTS = (
    *(b"%b / HTTP/1.1|a|", b"GET /%b HTTP/1.1|a|", b"GET /?%b HTTP/1.1|a|", b"GET / HTTP/1.1|%b|"),
    *(b"GET / HTTP/1.1|a|%b: 1\r\n", b"GET / HTTP/1.1|a|X-A: %b\r\n", b"GET / HTTP/1.0||%b: a\r\n"),
)


def our_request(data: bytes) -> bytes:
    """What we send to a service of HTTP/2 for a request that came by HTTP/1; b"": it is refused."""
    try:
        head = RequestReader(HeadLimits()).read(data)
        if head is None or head.method == b"CONNECT":
            return b""
        path, query = canonical(head.target)
    except (HeadError, PathError):
        return b""
    exchange = Exchange(head, EDGE, "192.0.2.1", 0.0)
    exchange.path, exchange.query = path, query
    exchange.request_id, exchange.traceparent = b"order-4711", b"00-a-b-01"
    codec = ClientCodec()
    codec.begin(request_fields(exchange, b"http", -1, b"127.0.0.1:80", FieldBlocks()), b"")
    return codec.take()


@pytest.mark.parametrize("part", PARTS)
def test_whatever_byte_a_caller_of_http_1_sends_no_service_of_http_2_finds_it_malformed(part: bytes) -> None:
    """Else outsiders could make services fail, in the eyes of outlier detection."""
    start, host, more = part.split(b"|")
    host_line = b"Host: %b\r\n" % host if host else b""
    sent = 0
    for text in [pattern % bytes((byte,)) for byte in range(256) for pattern in (b"x%by", b"%by", b"x%b")]:
        data = our_request(b"\r\n".join((start, host_line + more, b"")).replace(b"%b", text))
        if data:
            sent += 1
            events = ServerCodec(100, 65_536, 65_536).receive(data)
            assert [event for event in events if isinstance(event, Request)], (part, text)
            assert list(as_hyper_reads(data)) == [1], (part, text)
    assert sent > 100

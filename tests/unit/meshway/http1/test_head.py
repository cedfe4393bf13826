"""Facts of heads: what is reported, what goes on, what is remembered of the connection's last block."""

import pytest

from meshway.http1.field_lines import MAX_KEPT_LINES, request_lines, response_lines
from meshway.http1.head import HeadError, HeadLimits, RequestReader, ResponseReader
from meshway.http1.message import CHUNKED, NO_BODY, UNTIL_CLOSE, RequestHead, ResponseHead
from tests.parts.slots import slots_of

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LIMITS = HeadLimits()


def read(*lines: bytes, start: bytes = b"GET /a HTTP/1.1", strip: bool = True) -> RequestHead:
    head = RequestReader(LIMITS, strip=strip).read(wire(*lines, start=start))
    assert head is not None
    return head


def wire(*lines: bytes, start: bytes = b"GET /a HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: books.test:81", *lines, b"", b""])


def read_answer(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK", method: bytes = b"GET") -> ResponseHead:
    head = ResponseReader(LIMITS).read(b"\r\n".join([start, *lines, b"", b""]), 0, method)
    assert head is not None
    return head


def test_a_usual_head_gives_its_facts() -> None:
    head = read(b"Accept: */*", b"traceparent: " + TRACE, b"X-Request-Id: abc-123", b"X: y")
    assert (head.method, head.target, head.minor, head.is_absolute) == (b"GET", b"/a", 1, False)
    assert (head.host, head.authority) == (b"books.test", b"books.test:81")
    assert head.block == b"Accept: */*\r\nX: y\r\n"
    assert (head.traceparent, head.request_id) == (TRACE, b"abc-123")
    assert (head.body, head.keep_alive, head.expect_continue, head.upgrade) == (NO_BODY, True, False, b"")
    assert head.named == {b"accept": b"*/*"}


def test_head_size_counts_the_whole_head_and_no_byte_of_the_body() -> None:
    data = b"\r\n" + wire(b"Content-Length: 3")
    head = RequestReader(LIMITS).read(b"junk" + data + b"abc", 4)
    assert head is not None
    assert (head.head_size, head.body) == (len(data), 3)


def test_forwarding_fields_are_reported_but_not_forwarded() -> None:
    head = read(b"X-Forwarded-For: 1.1.1.1", b"x-forwarded-for: 2.2.2.2", b"Via: 1.1 a", b"Forwarded: for=a", b"X: y")
    assert head.block == b"X: y\r\n"
    assert head.named == {b"x-forwarded-for": b"1.1.1.1, 2.2.2.2", b"via": b"1.1 a", b"forwarded": b"for=a"}


def test_the_mesh_reads_its_own_fields_and_forwards_none_of_them() -> None:
    head = read(b"Meshway-Deadline: 1.5", b"meshway-attempt: 2", b"meshway-anything: x")
    assert head.block == b""
    assert head.named == {b"meshway-deadline": b"1.5", b"meshway-attempt": b"2"}


def test_without_stripping_identity_fields_stay() -> None:
    head = read(b"X-Forwarded-For: 1.1.1.1", b"meshway-deadline: 2", b"X-Real-IP: 1.1.1.1", b"TE: gzip", strip=False)
    assert head.block == b"X-Forwarded-For: 1.1.1.1\r\nmeshway-deadline: 2\r\nX-Real-IP: 1.1.1.1\r\n"
    assert head.named[b"x-forwarded-for"] == b"1.1.1.1"


def test_method_overrides_go_where_a_listener_says_so() -> None:
    line = b"X-HTTP-Method-Override: DELETE"
    assert read(line).block == line + b"\r\n"
    head = RequestReader(LIMITS, lines=request_lines(method_override="drop")).read(wire(line))
    assert head is not None
    assert head.block == b""


def test_underscores_pass_or_refuse_where_a_listener_says_so_but_never_bring_back_identity() -> None:
    data = wire(b"x_tenant: a", b"x_forwarded_user: evil", b"Content_Length: 5", b"meshway_deadline: 9")
    head = RequestReader(LIMITS, underscores="pass").read(data)
    assert head is not None
    assert head.block == b"x_tenant: a\r\n"
    with pytest.raises(HeadError):
        RequestReader(LIMITS, underscores="reject").read(data)


def test_expect_is_reported_and_forwarded_and_means_nothing_in_1_0() -> None:
    head = read(b"Expect: 100-Continue", b"Content-Length: 5")
    assert head.expect_continue
    assert head.block == b"Expect: 100-Continue\r\n"
    assert not read(b"Expect: 100-continue", start=b"POST /a HTTP/1.0").expect_continue


def test_a_websocket_handshake_is_reported() -> None:
    lines = (b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket", b"Sec-WebSocket-Version: 13")
    head = read(*lines)
    assert head.upgrade == b"websocket"
    assert head.block == b"Sec-WebSocket-Version: 13\r\n"
    assert read(*lines, start=b"POST /a HTTP/1.1").upgrade == b""
    assert read(*lines, start=b"GET /a HTTP/1.0").upgrade == b""
    assert read(*lines, b"Content-Length: 5").upgrade == b""
    assert read(*lines, b"Transfer-Encoding: chunked").upgrade == b""


def test_te_trailers_is_reported_and_other_members_are_not() -> None:
    assert read(b"TE: gzip, trailers;q=0.5").te_trailers
    assert not read(b"TE: gzip").te_trailers


def test_an_id_that_comes_twice_is_none() -> None:
    head = read(b"traceparent: " + TRACE, b"traceparent: " + TRACE, b"x-request-id: abc", b"x-request-id: abc")
    assert (head.traceparent, head.request_id, head.block) == (b"", b"", b"")


def test_http_1_0_needs_no_host() -> None:
    head = RequestReader(LIMITS).read(b"GET /a HTTP/1.0\r\n\r\n")
    assert head is not None
    assert (head.host, head.authority, head.keep_alive, head.minor) == (b"", b"", False, 0)


def test_an_ipv6_host_keeps_its_brackets() -> None:
    head = RequestReader(LIMITS).read(b"GET /a HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n")
    assert head is not None
    assert head.host == b"[2001:db8::1]"


def test_a_repeated_block_is_the_same_object_with_its_own_ids_and_target() -> None:
    reader = RequestReader(LIMITS)
    heads = []
    for at in range(4):
        ids = (b"traceparent: 00-%032x-%016x-01" % (at, at), b"X: y", b"x-request-id: request-%d" % at)
        heads.append(reader.read(wire(*ids, start=b"GET /%d HTTP/1.1" % at)))
    for at, head in enumerate(heads):
        assert head is not None
        assert head.target == b"/%d" % at
        assert head.traceparent == b"00-%032x-%016x-01" % (at, at)
        assert head.request_id == b"request-%d" % at
        assert head.block == b"X: y\r\n"
    assert heads[2] is not None
    assert heads[3] is not None
    assert heads[3].block is heads[2].block


def test_the_remembered_block_is_not_that_of_another_version() -> None:
    reader = RequestReader(LIMITS)
    first = reader.read(wire(b"X: y"))
    second = reader.read(wire(b"X: y", start=b"GET /a HTTP/1.0"))
    assert first is not None
    assert second is not None
    assert (first.keep_alive, second.keep_alive) == (True, False)
    assert reader.read(wire(b"Transfer-Encoding: chunked")) is not None
    with pytest.raises(HeadError):
        reader.read(wire(b"Transfer-Encoding: chunked", start=b"POST /a HTTP/1.0"))


def test_the_target_of_one_head_does_not_leak_into_the_next() -> None:
    reader = RequestReader(LIMITS)
    hosts = [
        reader.read(wire(start=start))
        for start in (b"GET /a HTTP/1.1", b"GET http://Other.test:9/ HTTP/1.1", b"GET /a HTTP/1.1")
    ]
    assert [head.host for head in hosts if head] == [b"books.test", b"other.test", b"books.test"]
    assert [head.authority for head in hosts if head] == [b"books.test:81", b"Other.test:9", b"books.test:81"]


def test_known_lines_are_bounded_and_hold_no_secrets() -> None:
    lines = request_lines()
    for at in range(MAX_KEPT_LINES * 2 + 10):
        RequestReader(LIMITS, lines=lines).read(wire(b"X: %d" % at, b"Authorization: Bearer %d" % at, b"Cookie: a"))
    assert len(lines) <= MAX_KEPT_LINES
    assert not [line for line in lines if line.lower().startswith((b"authorization", b"cookie"))]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01", 400),
        (b"G\x00", 400),
        (b"A" * 33, 400),
        (b"GET /" + b"a" * 16390, 414),
        (b"GET / HTTP/9.9\r\nHos", 505),
        (b"GET / HTTP/1.1\nHost: a", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 66000, 431),
    ],
)
def test_a_head_that_can_only_be_wrong_is_not_waited_for(data: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        RequestReader(LIMITS).read(data)
    assert caught.value.status == status


def test_a_head_of_single_bytes_is_searched_once_over() -> None:
    data = wire(b"X: y")
    reader, buffer = RequestReader(LIMITS), bytearray()
    for at in range(len(data) - 1):
        buffer += data[at : at + 1]
        assert reader.read(buffer) is None
    buffer += data[-1:]
    assert reader.read(buffer) is not None


@pytest.mark.parametrize(
    ("lines", "status", "method", "body", "length"),
    [
        ((b"Content-Length: 5",), 200, b"GET", 5, 5),
        ((b"Content-Length: 5",), 200, b"HEAD", NO_BODY, 5),
        ((b"Content-Length: 5",), 304, b"GET", NO_BODY, 5),
        ((b"Transfer-Encoding: chunked",), 200, b"GET", CHUNKED, None),
        ((), 200, b"GET", UNTIL_CLOSE, None),
        ((), 204, b"GET", NO_BODY, None),
        ((), 100, b"POST", NO_BODY, None),
    ],
)
def test_an_answers_body_follows_from_method_status_and_fields(
    lines: tuple[bytes, ...], status: int, method: bytes, body: int, length: int | None
) -> None:
    head = read_answer(*lines, start=b"HTTP/1.1 %d X" % status, method=method)
    assert (head.body, head.content_length) == (body, length)
    assert head.keep_alive == (body != UNTIL_CLOSE)


def test_an_answer_tells_how_long_its_connection_is_kept() -> None:
    assert read_answer(b"Keep-Alive: timeout=7, max=100").keep_alive_timeout_s == 7.0
    assert read_answer(b"Keep-Alive: max=100, timeout = x").keep_alive_timeout_s is None
    assert not read_answer(b"Connection: Close").keep_alive


def test_an_answers_request_id_may_change_without_a_new_parse() -> None:
    reader = ResponseReader(LIMITS, lines=response_lines(drop=frozenset({b"server"})))
    blocks = []
    for at in range(4):
        data = b"HTTP/1.1 200 OK\r\nServer: x\r\nX-Request-Id: request-%d\r\nContent-Length: 0\r\nX: y\r\n\r\n" % at
        head = reader.read(data, 0, b"GET")
        assert head is not None
        blocks.append(head.block)
    assert set(blocks) == {b"X: y\r\n"}
    assert blocks[3] is blocks[2]


def test_an_answer_to_a_websocket_handshake_is_reported() -> None:
    head = read_answer(b"Connection: upgrade", b"Upgrade: websocket", start=b"HTTP/1.1 101 Switching Protocols")
    assert (head.status, head.upgrade, head.body) == (101, b"websocket", NO_BODY)


def test_the_same_request_again_is_the_same_head() -> None:
    reader = RequestReader(LIMITS)
    first = reader.read(wire(b"X: y"))
    assert reader.read(wire(b"X: y")) is first
    assert reader.read(b"\r\n" + wire(b"X: y")) is not first, "an empty line before it makes it longer"


def test_a_head_is_not_taken_for_the_last_one_when_only_its_line_differs() -> None:
    reader = RequestReader(LIMITS)
    reader.read(wire(b"X: y"))
    other = wire(b"X: y", start=b"GET /b HTTP/1.1")
    assert reader.read(other[:20]) is None  # its line is read while the head is incomplete
    head = reader.read(other)
    assert head is not None
    assert head.target == b"/b"


def test_a_head_is_not_taken_for_the_last_one_when_only_its_ids_differ() -> None:
    reader = RequestReader(LIMITS)
    for identity in (b"abc-1", b"abc-2", b"abc-3", b"abc-3", b"abc-1"):
        head = reader.read(wire(b"X-Request-Id: " + identity))
        assert head is not None
        assert head.request_id == identity


def test_the_same_answer_again_is_the_same_head_unless_another_method_asked() -> None:
    reader = ResponseReader(LIMITS)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    first = reader.read(answer, 0, b"GET")
    assert reader.read(answer, 0, b"GET") is first
    asked = reader.read(answer, 0, b"HEAD")
    assert asked is not None
    assert asked.body == NO_BODY
    got = reader.read(answer, 0, b"GET")
    assert got is not None
    assert got.body == 3
    # How much is left in the answer does not decide whether its head is the same.
    assert reader.read(answer + b"abc", 0, b"GET") is got


def test_a_copy_of_a_request_has_all_that_the_head_has() -> None:
    head = RequestReader(HeadLimits()).read(b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\ntraceparent: t\r\n\r\n")
    assert head is not None
    copy = head.copy()
    assert {name: getattr(copy, name) for name in slots_of(RequestHead)} == {
        name: getattr(head, name) for name in slots_of(RequestHead)
    }


def test_a_changed_copy_leaves_the_head_as_it_was() -> None:
    head = read_answer(b"X: y", b"Content-Length: 0")
    copy = head.copy()
    copy.block += b"Z: 1\r\n"
    assert head.block == b"X: y\r\n"
    facts = slots_of(ResponseHead) - {"block", "opening"}
    missing = object()
    assert all(getattr(copy, name, missing) == getattr(head, name, missing) for name in facts)


def test_a_service_that_speaks_http2_is_told_from_one_that_speaks_nonsense() -> None:
    def refused(opening: bytes) -> str:
        with pytest.raises(HeadError) as caught:
            ResponseReader(LIMITS).read(opening, 0, b"POST")
        return caught.value.detail

    settings = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"
    assert "connection: {http: http2}" in refused(settings + b"\x00\x04\x00\x3f\xff\xff")
    assert "http2" not in refused(b"\x00\x00\x12\x04\x00\x00\x00\x00\x01")
    assert "http2" not in refused(b"SSH-2.0-x")

"""The one reader of HTTP/1.1 heads: strict, incremental, and of few Python steps per head.

Strictness: RFC 9112 and 9110, narrowed where readers are known to differ (several Content-Length, bare LF, obs-fold,
HTTP/1.0 with Transfer-Encoding, odd Host values …). Readers state facts, and break off on bytes that have no one
meaning; what is allowed is decided by those who ask.

How a head costs little: it is cut at CRLF once, each line is looked up whole (field_lines.py), and the block of the
connection's last head is recognised even when its tracing ids changed (block_memo.py).
"""

from dataclasses import dataclass
from typing import Final

from meshway.http1.block_memo import ABSENT, MAX_REMEMBERED, BlockMemo
from meshway.http1.collect import RequestFacts, ResponseFacts, collect_request, collect_response
from meshway.http1.field_lines import FieldLines, Underscores, request_lines, response_lines
from meshway.http1.message import NO_BODY, UNTIL_CLOSE, RequestHead, ResponseHead
from meshway.http1.start_line import (
    MAX_METHOD,
    RequestLine,
    TooLong,
    WrongVersion,
    check_method,
    parse_request_line,
    parse_status_line,
)

_NONE: Final = b"\r\n"  # in the place of a start line: no line can be that
# Bytes up to which a head is cut off by `partition`, at a third of what searching and slicing cost: it also copies what
# follows.
_SHORT: Final = 4096


class HeadError(Exception):
    """A message that has no one meaning, or is over a limit. The connection cannot be used any further.

    status: for a request 400, 414, 431 or 505, for an answer 502. code: `bad_request`, `uri_too_long`,
    `headers_too_large`, `http_version_not_supported`, `upstream_protocol`. detail: one line, without the bytes.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(slots=True, frozen=True)
class HeadLimits:
    """head: bytes of a whole head, with the empty line. fields: lines in it. target: bytes of a request target."""

    head: int = 65536
    fields: int = 100
    target: int = 16384


class RequestReader:
    """Reads the heads of one connection, one after the other.

    `named` of its heads holds, by lower-case name: authorization x-forwarded-for x-forwarded-proto x-forwarded-host
    forwarded via content-type accept idempotency-key meshway-deadline meshway-attempt meshway-criticality
    meshway-explain meshway-token last-event-id if-match if-none-match prefer grpc-timeout. Repeated ones are joined by
    ", "; a second authorization, content-type, idempotency-key or meshway- field is an error. `named` may be shared by
    several heads: read only.

    strip: take identity and forwarding fields out of `block`. underscores: what becomes of names with `_`.
    lines: known lines, to share among the connections of a listener (field_lines.request_lines); the other two
    settings are then its own.
    """

    __slots__ = (
        "_facts", "_facts_minor", "_fields", "_head", "_ids", "_limits", "_line", "_lines", "_memo", "_seen", "_start",
        "_whole",
    )  # fmt: skip

    def __init__(
        self,
        limits: HeadLimits,
        *,
        strip: bool = True,
        underscores: Underscores = "drop",
        lines: FieldLines | None = None,
    ) -> None:
        self._limits = limits
        self._lines = request_lines(strip=strip, underscores=underscores) if lines is None else lines
        self._seen = 0  # bytes of an incomplete head in which no end was found
        self._line = _NONE
        self._start: RequestLine = (b"", b"", 1, None, b"", False)
        self._memo = BlockMemo()
        self._fields = b""  # the block that _facts and _ids are of
        self._ids = (b"", b"")
        self._facts: RequestFacts = (b"", b"", b"", 0, True, False, b"", False, {})
        self._facts_minor = -1  # none remembered
        self._head: RequestHead | None = None  # the last one, and its bytes
        self._whole = b""

    @property
    def is_fresh(self) -> bool:
        """No request line was read yet."""
        return not self._start[0]

    def read(self, buffer: bytes | bytearray, start: int = 0) -> RequestHead | None:
        """The head that begins at start, or None while it is incomplete.

        While None is given, the bytes from start on may only grow. An empty line before the head is passed over
        (RFC 9112 §2.2). The same bytes again give the same object: a request's head is never changed. Raises HeadError
        as soon as the head cannot become a valid one.
        """
        if start or isinstance(buffer, bytearray) or len(buffer) > _SHORT:
            whole, found = _search(buffer, start, self._seen)
        else:
            whole, found, _ = buffer.partition(b"\r\n\r\n")
        if not found:
            self._wait(buffer, start)
            return None
        self._seen = 0
        if whole == self._whole and self._head is not None:
            return self._head
        line, _, fields = whole.partition(b"\r\n")
        if not line:
            line, _, fields = fields.partition(b"\r\n")
            if not line:
                raise HeadError(400, "bad_request", "two empty lines before the request line")
        head_size = len(whole) + 4
        if head_size > self._limits.head:
            raise _too_large(self._limits)

        if line != self._line:
            self._read_line(line)
        method, target, minor, host, authority, is_absolute = self._start
        ids: tuple[bytes, bytes] | None = None
        if self._facts_minor == minor:
            ids = self._ids if fields == self._fields else self._memo.match(fields)
        if ids is None:
            ids = self._read_fields(fields, minor)

        head = RequestHead()
        head.method = method
        head.target = target
        head.minor = minor
        (
            head.host,
            head.authority,
            head.block,
            head.body,
            head.keep_alive,
            head.expect_continue,
            head.upgrade,
            head.te_trailers,
            head.named,
        ) = self._facts
        head.traceparent, head.request_id = ids
        if host is not None:
            head.host = host
            head.authority = authority
        head.is_absolute = is_absolute
        # RFC 6455 §4.1: a handshake is a GET; one with a body would leave bytes that both protocols claim.
        if head.upgrade and (method != b"GET" or head.body != NO_BODY):
            head.upgrade = b""
        head.head_size = head_size
        head.path = None
        if head_size <= MAX_REMEMBERED:
            self._head, self._whole = head, whole
        return head

    def _read_line(self, line: bytes) -> None:
        self._line = _NONE
        try:
            self._start = parse_request_line(line, self._limits.target)
        except TooLong as long:
            raise HeadError(414, "uri_too_long", str(long)) from None
        except WrongVersion as other:
            raise HeadError(505, "http_version_not_supported", str(other)) from None
        except ValueError as error:
            raise HeadError(400, "bad_request", str(error)) from None
        self._line = line

    def _read_fields(self, fields: bytes, minor: int) -> tuple[bytes, bytes]:
        """Fills the facts from a block that is not the remembered one; returns (traceparent, request id)."""
        self._facts_minor = -1
        lines = fields.split(b"\r\n") if fields else []
        if len(lines) > self._limits.fields:
            raise HeadError(431, "headers_too_large", f"more than {self._limits.fields} header lines")
        try:
            self._facts, traceparent, request_id = collect_request(lines, self._lines, minor)
        except ValueError as error:
            raise HeadError(400, "bad_request", str(error)) from None
        self._ids = ids = (traceparent[0], request_id[0])
        if len(fields) <= MAX_REMEMBERED:
            # Two blocks of one length in a row: only then is it likely that a third one will match.
            if len(fields) == len(self._fields):
                self._memo.learn(fields, traceparent, request_id)
            else:
                self._memo.forget()
            self._fields = fields
            self._facts_minor = minor
        return ids

    def _wait(self, buffer: bytes | bytearray, start: int) -> None:
        """Breaks off an incomplete head that can only become a wrong one."""
        size = len(buffer) - start
        begin = start + 2 if buffer.startswith(b"\r\n", start) else start
        line_end = buffer.find(b"\r\n", begin)
        if line_end < 0:
            self._judge_beginning(buffer, begin)
        else:
            line = bytes(buffer[begin:line_end])
            if line != self._line:
                self._read_line(line)
        if _has_bare_lf(buffer, start + self._seen, start):
            raise HeadError(400, "bad_request", "a line ends without CR")
        if size > self._limits.head:
            raise _too_large(self._limits)
        self._seen = max(0, size - 3)

    def _judge_beginning(self, buffer: bytes | bytearray, begin: int) -> None:
        """Of a request line without its end: a TLS handshake or an endless target is told at once."""
        beginning = bytes(buffer[begin : begin + MAX_METHOD + 1])
        if beginning in (b"", b"\r"):
            return
        method = beginning.partition(b" ")[0]
        try:
            check_method(method)
        except ValueError as error:
            raise HeadError(400, "bad_request", str(error)) from None
        target = begin + len(method) + 1
        longest = target + self._limits.target + 1
        if len(buffer) >= longest and buffer.find(b" ", target, longest) < 0:
            raise HeadError(414, "uri_too_long", f"target is longer than {self._limits.target} bytes")


class ResponseReader:
    """Reads the heads of one upstream connection.

    `named` holds content-type, retry-after, location, grpc-status and cache-control; the same rules as for requests.
    lines: known lines, to share among connections (field_lines.response_lines, which also takes names to drop).
    Every HeadError is a 502 `upstream_protocol`.
    """

    __slots__ = (
        "_facts", "_facts_minor", "_fields", "_head", "_limits", "_line", "_lines", "_memo", "_method", "_seen",
        "_start", "_whole",
    )  # fmt: skip

    def __init__(self, limits: HeadLimits, *, lines: FieldLines | None = None) -> None:
        self._limits = limits
        self._lines = response_lines() if lines is None else lines
        self._seen = 0
        self._line = _NONE
        self._start = (0, 1, b"")
        self._memo = BlockMemo()
        self._fields = b""
        self._facts: ResponseFacts = (b"", UNTIL_CLOSE, None, False, None, b"", {})
        self._facts_minor = -1
        self._whole = self._method = b""  # of the last head, whose answer is the same when both are
        self._head = ResponseHead()

    def read(self, buffer: bytes | bytearray, start: int, method: bytes) -> ResponseHead | None:
        """As RequestReader.read. method: the request's, it tells whether a body follows. 1xx heads come like others.

        The same bytes again give the same object: who changes a head changes a copy of it.
        """
        if start or isinstance(buffer, bytearray) or len(buffer) > _SHORT:
            whole, found = _search(buffer, start, self._seen)
        else:
            whole, found, _ = buffer.partition(b"\r\n\r\n")
        if not found:
            self._wait(buffer, start)
            return None
        self._seen = 0
        if whole == self._whole and method == self._method:
            return self._head
        line, _, fields = whole.partition(b"\r\n")
        head_size = len(whole) + 4
        if head_size > self._limits.head:
            raise _upstream_error(f"head is longer than {self._limits.head} bytes")

        if line != self._line:
            self._read_line(line)
        status, minor, reason = self._start
        if self._facts_minor != minor or (fields != self._fields and self._memo.match(fields) is None):
            self._read_fields(fields, minor)

        head = ResponseHead()
        head.status = status
        head.minor = minor
        head.reason = reason
        (
            head.block,
            head.body,
            head.content_length,
            head.keep_alive,
            head.keep_alive_timeout_s,
            head.upgrade,
            head.named,
        ) = self._facts
        if status < 200 or status == 204 or status == 304 or method == b"HEAD":
            head.body = NO_BODY
        elif head.body == UNTIL_CLOSE:
            head.keep_alive = False
        head.head_size = head_size
        if head_size <= MAX_REMEMBERED:
            self._whole, self._method, self._head = whole, method, head
        return head

    def _read_line(self, line: bytes) -> None:
        self._line = _NONE
        try:
            self._start = parse_status_line(line)
        except ValueError as error:
            raise _upstream_error(str(error)) from None
        self._line = line

    def _read_fields(self, fields: bytes, minor: int) -> None:
        self._facts_minor = -1
        lines = fields.split(b"\r\n") if fields else []
        if len(lines) > self._limits.fields:
            raise _upstream_error(f"more than {self._limits.fields} header lines")
        try:
            self._facts, request_id = collect_response(lines, self._lines, minor)
        except ValueError as error:
            raise _upstream_error(str(error)) from None
        if len(fields) <= MAX_REMEMBERED:
            if len(fields) == len(self._fields):
                self._memo.learn(fields, ABSENT, request_id)
            else:
                self._memo.forget()
            self._fields = fields
            self._facts_minor = minor

    def _wait(self, buffer: bytes | bytearray, start: int) -> None:
        size = len(buffer) - start
        if not b"HTTP/1.".startswith(bytes(buffer[start : start + 7])):
            raise _upstream_error(_no_status_line(bytes(buffer[start : start + 9])))
        if _has_bare_lf(buffer, start + self._seen, start):
            raise _upstream_error("a line ends without CR")
        if size > self._limits.head:
            raise _upstream_error(f"head is longer than {self._limits.head} bytes")
        self._seen = max(0, size - 3)


def _search(buffer: bytes | bytearray, start: int, seen: int) -> tuple[bytes, bytes]:
    """The head that begins at start, without the empty line and the CRLF before it, and what ends it: b"" while
    nothing does. seen: bytes after start in which no end was found.
    """
    end = buffer.find(b"\r\n\r\n", start + seen)
    return (bytes(buffer[start:end]), b"\r\n\r\n") if end >= 0 else (b"", b"")


def _has_bare_lf(buffer: bytes | bytearray, begin: int, start: int) -> bool:
    """Whether an LF at begin or later has no CR before it."""
    return buffer.count(b"\n", begin) != buffer.count(b"\r\n", max(start, begin - 1))


def _too_large(limits: HeadLimits) -> HeadError:
    return HeadError(431, "headers_too_large", f"head is longer than {limits.head} bytes")


def _no_status_line(opening: bytes) -> str:
    """opening: the first nine bytes of an answer. A server of HTTP/2, as of gRPC, begins with SETTINGS on stream 0
    (RFC 9113, section 3.4), whatever it is asked.
    """
    if opening[3:5] == b"\x04\x00" and opening[5:] == bytes(4):
        return (
            "the service speaks HTTP/2: to be called so it needs protocol: grpc or http2, in what all its instances"
            " register or at the port of its Service, or a TrafficPolicy with connection: {http: http2}"
        )
    return "status line does not begin with HTTP/1.0 or HTTP/1.1"


def _upstream_error(detail: str) -> HeadError:
    return HeadError(502, "upstream_protocol", detail)

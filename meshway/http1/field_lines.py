"""What one header line says: learned once, then a look-up by the whole line.

Most lines of a connection, and of all connections of a listener, are the same bytes again (`Accept: */*`). A line
that was judged is kept with its meaning, so it costs one dict access instead of a parse. Lines that hold secrets or
change with every message are judged each time and never kept.
"""

from string import digits
from typing import Final, Literal

from meshway.http1 import b3
from meshway.http1.alphabet import table
from meshway.http1.authority import parse_authority
from meshway.http1.start_line import TOKEN

Underscores = Literal["drop", "pass", "reject"]

# A fact is (code, name, value); None means: forward the line as it is, nothing else.
DROPPED: Final = 0
HOST: Final = 1  # name: lower-case host without port, value: authority as received
LENGTH: Final = 2
CODING: Final = 3
CONNECTION: Final = 4  # value in lower case
TRACEPARENT: Final = 5
REQUEST_ID: Final = 6
UPGRADE: Final = 7  # b"websocket", other protocols are dropped
TE: Final = 8  # b"trailers", or b""
KEEP_ALIVE: Final = 9
EXPECT: Final = 10  # forwarded too
# From here on reported in `named`; the order matters to collect.py, which compares.
READ: Final = 11  # not forwarded
SINGLE_READ: Final = 12  # as READ, and a second one is an error
READ_KEPT: Final = 13  # forwarded
SINGLE: Final = 14  # as READ_KEPT, and a second one is an error
Fact = tuple[int, bytes, bytes]

MAX_KEPT_LINE: Final = 256
MAX_KEPT_LINES: Final = 2048
_NAME: Final = table(TOKEN)
_LINE: Final = table([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_DIGITS: Final = digits.encode()
_UNKEPT: Final = frozenset(
    {
        *(b"authorization", b"proxy-authorization", b"cookie", b"set-cookie", b"x-api-key", b"meshway-token"),
        *(b"traceparent", b"tracestate", b"x-request-id", b"idempotency-key", b"content-md5", b"content-digest"),
        b"grpc-timeout",
        *b3.NAMES,
    }
)

_FRAMING: Final = {b"content-length": LENGTH, b"transfer-encoding": CODING, b"connection": CONNECTION}
HOP_BY_HOP: Final = {
    b"keep-alive": DROPPED,
    b"proxy-connection": DROPPED,
    b"proxy-authorization": DROPPED,
    b"http2-settings": DROPPED,
    b"trailer": DROPPED,
    b"te": TE,
    b"upgrade": UPGRADE,
}
_READ: Final = {
    **dict.fromkeys((b"accept", b"last-event-id", b"if-match", b"if-none-match", b"prefer"), READ_KEPT),
    b"grpc-timeout": READ_KEPT,
    **dict.fromkeys((b"authorization", b"content-type", b"idempotency-key"), SINGLE),
    **dict.fromkeys(b3.NAMES, READ_KEPT),
}
_FORWARDING: Final = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via")
_MESH: Final = (
    b"meshway-deadline", b"meshway-attempt", b"meshway-criticality", b"meshway-explain", b"meshway-token",
)  # fmt: skip
# Names by which a caller could pass for somebody else, or for another request than the one we judged.
IDENTITY: Final = frozenset(
    {
        *(b"x-forwarded-client-cert", b"x-original-url", b"x-original-uri", b"x-rewrite-url", b"x-remote-user"),
        *(b"x-forwarded-user", b"x-forwarded-email", b"x-forwarded-groups", b"x-forwarded-prefix"),
        *(b"x-forwarded-path", b"x-forwarded-port", b"x-real-ip"),
    }
)
IDENTITY_PREFIXES: Final = (b"meshway-", b"x-envoy-")
METHOD_OVERRIDES: Final = (b"x-http-method-override", b"x-http-method", b"x-method-override")


class FieldLines(dict[bytes, Fact | None]):
    """Facts by line; a missing line is judged on access. Bounded; shared by the readers of one listener.

    codes: what each known name means. prefixes: names to drop. Access raises ValueError for a line that is no field.
    """

    __slots__ = ("_codes", "_prefixes", "_underscores")

    def __init__(self, codes: dict[bytes, int], prefixes: tuple[bytes, ...], underscores: Underscores) -> None:
        super().__init__()
        self._codes = codes
        self._prefixes = prefixes
        self._underscores = underscores

    def __missing__(self, line: bytes) -> Fact | None:
        name, colon, value = line.partition(b":")
        if not colon or not name.translate(_NAME).isdigit():
            raise ValueError("a header line is not `name: value`")
        if value and not value.translate(_LINE).isdigit():
            raise ValueError("a header value holds a control, a bare CR or a bare LF")
        name = name.lower()
        code = self._codes.get(name)
        if name in _UNKEPT:
            return None if code is None else (code, name, value.strip(b" \t"))
        fact = self._judge_unknown(name) if code is None else _judge_known(code, name, value.strip(b" \t"))
        if len(line) <= MAX_KEPT_LINE:
            if len(self) >= MAX_KEPT_LINES:
                self.clear()  # a caller who fills the cache costs others one more parse, no more
            self[line] = fact
        return fact

    def _judge_unknown(self, name: bytes) -> Fact | None:
        if b"_" in name:
            return self._judge_underscored(name)
        return (DROPPED, name, b"") if name.startswith(self._prefixes) else None

    def _judge_underscored(self, name: bytes) -> Fact | None:
        """CGI and WSGI read `_` and `-` as the same: under `pass` it must not bring back what is taken out."""
        if self._underscores == "reject":
            raise ValueError("a header name holds an underscore")
        dashed = name.replace(b"_", b"-")
        if self._underscores == "drop" or dashed.startswith(self._prefixes):
            return DROPPED, name, b""
        code = self._codes.get(dashed, READ_KEPT)
        return None if code in (READ_KEPT, SINGLE, EXPECT) else (DROPPED, name, b"")


def _judge_known(code: int, name: bytes, value: bytes) -> Fact:
    """The fact with its value in the form its reader wants. Raises ValueError."""
    if code == HOST:
        name, _ = parse_authority(value)
    elif code == LENGTH:
        if not value or len(value) > 18 or value.translate(None, _DIGITS):
            raise ValueError("content-length is not 1 to 18 digits")
    elif code == CODING:
        if value.lower() != b"chunked":
            raise ValueError("transfer-encoding is not exactly `chunked`")
    elif code == CONNECTION:
        value = value.lower()
    elif code == UPGRADE:
        value = b"websocket" if b"websocket" in tokens(value) else b""
    elif code == TE:
        value = b"trailers" if b"trailers" in tokens(value) else b""
    return code, name, value


def tokens(value: bytes) -> set[bytes]:
    """The members of a comma-separated list, lower-case, without parameters and empty members."""
    members = {member.partition(b";")[0].strip(b" \t").lower() for member in value.split(b",")}
    members.discard(b"")
    return members


def request_lines(
    *, strip: bool = True, underscores: Underscores = "drop", method_override: Literal["drop", "pass"] = "pass"
) -> FieldLines:
    """Lines of requests. strip: take out identity and forwarding fields (a gateway does, the registry does not)."""
    codes = {
        **_READ,
        **_FRAMING,
        **HOP_BY_HOP,
        b"host": HOST,
        b"expect": EXPECT,
        b"traceparent": TRACEPARENT,
        b"x-request-id": REQUEST_ID,
        **dict.fromkeys(_FORWARDING, READ if strip else READ_KEPT),
        **dict.fromkeys(_MESH, SINGLE_READ if strip else READ_KEPT),
    }
    if strip:
        codes.update(dict.fromkeys(IDENTITY, DROPPED))
    if method_override == "drop":
        codes.update(dict.fromkeys(METHOD_OVERRIDES, SINGLE_READ))  # a Route may pass them on
    return FieldLines(codes, IDENTITY_PREFIXES if strip else (), underscores)


def response_lines(*, drop: frozenset[bytes] = frozenset()) -> FieldLines:
    """Lines of answers. drop: further lower-case names not to forward (`server`, `x-powered-by`).

    x-request-id and meshway-reason are written by the gateway: an upstream's own would be taken for ours.
    """
    codes = {
        **dict.fromkeys((b"content-type", b"retry-after", b"location", b"grpc-status", b"cache-control"), READ_KEPT),
        **_FRAMING,
        **HOP_BY_HOP,
        b"keep-alive": KEEP_ALIVE,
        b"x-request-id": REQUEST_ID,
        b"meshway-reason": DROPPED,
        **dict.fromkeys(drop, DROPPED),
    }
    return FieldLines(codes, (), "pass")

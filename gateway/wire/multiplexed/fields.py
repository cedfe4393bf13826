"""Between fields of HTTP/2 or HTTP/3 and the blocks of bytes that everything behind the wire works with (RFC 9113 §8,
RFC 9114 §4).

A request becomes the HTTP/1.1 head that would ask for the same, and is read by the one scanner that judges heads, so
there are no two opinions about what a request says.
"""

from base64 import b64encode
from os import urandom
from time import time
from typing import Final

from gateway.exchange import Exchange
from gateway.wire.heads import date_line, opening_of
from gateway.wire.multiplexed.messages import Fields
from gateway.wire.websocket.handshake import ACCEPT, KEY
from meshway.grpc_message import CONTENT_TYPE
from meshway.http1.framing import ChunkedReader
from meshway.http1.head import HeadError
from meshway.http1.message import ResponseHead

GRPC_TIMEOUT: Final = b"grpc-timeout"
PREVIOUS_ATTEMPTS: Final = b"grpc-previous-rpc-attempts"
# They speak of a connection of HTTP/1.1 (RFC 9113 §8.2.2).
_OF_A_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
PROTOCOL: Final = b":protocol"
_UPGRADE: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_KEY_SIZE: Final = 16
_SCHEMES: Final = frozenset({b"http", b"https"})
_BARE: Final = frozenset({b"204", b"304"})


def accepted_fields(text: bytes) -> Fields:
    """Of an upgrade's head as HTTP/1.1 would have it: to a caller who asked by extended CONNECT (RFC 8441 §5)."""
    return [(b":status", b"200"), *(field for field in answer_fields(text)[1:] if field[0] != ACCEPT)]


def request_text(fields: Fields, *, ended: bool) -> bytes:
    """The head of the same request in HTTP/1.1. Raises HeadError.

    Of fields that the codec has passed: pseudo-fields are complete, come first and once, and nothing speaks of a
    connection of HTTP/1.1.

    An extended CONNECT (RFC 8441) asks for what is an upgrade in HTTP/1.1; the key that this needs is ours.
    """
    pseudo: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    crumbs: list[bytes] = []
    host: bytes | None = None
    has_length = wants_trailers = False
    for name, value in fields:
        if name[:1] == b":":
            pseudo[name] = value
        elif name == b"host":
            if host is not None and host != value:
                raise HeadError(400, "bad_request", "two hosts")
            host = value
        elif name == b"cookie":
            crumbs.append(value)
        elif name == b"te":
            wants_trailers = True  # nothing else is passed
        elif name == KEY:
            pass  # has no use here, and ours stands in its place where one is needed
        else:
            has_length = has_length or name == b"content-length"
            lines.append(b"%b: %b\r\n" % (name, value))
    if crumbs:  # RFC 9113 §8.2.3
        lines.append(b"Cookie: %b\r\n" % b"; ".join(crumbs))
    if wants_trailers:
        lines += (b"TE: trailers\r\n", b"Connection: TE\r\n")
    is_connect = pseudo.get(b":method") == b"CONNECT"
    if has_length and (is_connect or PROTOCOL in pseudo):  # would make another request of it: one with a body
        raise HeadError(400, "bad_request", "a CONNECT has no length")
    if PROTOCOL in pseudo:
        if ended:
            raise HeadError(400, "bad_request", "a CONNECT that is over has nothing to connect")
        lines += (_UPGRADE, b"Sec-WebSocket-Key: %b\r\n" % b64encode(urandom(_KEY_SIZE)))
    elif not ended and not has_length and not is_connect:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    text = _start(pseudo, host) + b"".join(lines)
    # A line break in a value would begin a field, or a request: no codec passes one, and neither do we.
    if not text.count(b"\n") == text.count(b"\r") == 2 + len(lines) + (PROTOCOL in pseudo):
        raise HeadError(400, "bad_request", "a line break in a field")
    return text + b"\r\n"


def _start(pseudo: dict[bytes, bytes], host: bytes | None) -> bytes:
    method = pseudo.get(b":method", b"")
    authority = pseudo.get(b":authority", b"")
    if host is not None and authority and host.lower() != authority.lower():
        raise HeadError(400, "bad_request", ":authority and host differ")
    if method == b"CONNECT" and PROTOCOL in pseudo:
        if pseudo[PROTOCOL].lower() != b"websocket":
            raise HeadError(501, "not_implemented", "of protocols to connect by, websocket alone is spoken")
        method = b"GET"
    elif method == b"CONNECT":
        return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (authority, authority)
    path = pseudo.get(b":path", b"")
    if pseudo.get(b":scheme", b"").lower() not in _SCHEMES:
        raise HeadError(400, "bad_request", "a scheme that is not served here")
    if b" " in path or not (path.startswith(b"/") or (path == b"*" and method == b"OPTIONS")):
        raise HeadError(400, "bad_request", "the path is none")
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (method, path, authority or host or b"")


def answer_fields(text: bytes) -> Fields:
    """Of an answer's head as HTTP/1.1 would have it."""
    start, _, block = text.partition(b"\r\n")
    fields: list[tuple[bytes, bytes]] = [(b":status", start[9:12])]
    _add(fields, block)
    return fields


def passed_fields(exchange: Exchange, head: ResponseHead, via: bytes) -> Fields:
    """Of a service's answer, as of what `answer_head` writes: most of it is kept with the head."""
    known = head.fields
    if known is None:
        known = head.fields = list(answer_fields(opening_of(head)))
    fields = [*known]
    if not head.is_dated:
        _add(fields, date_line(int(time())))
    if exchange.added:
        _add(fields, exchange.added)
    fields.append((b"via", via))
    fields.append((b"x-request-id", exchange.request_id))
    return fields


def connect_fields(fields: Fields) -> Fields:
    """The extended CONNECT that asks for the same as this GET with an upgrade to WebSocket (RFC 8441 §5)."""
    rest = [field for field in fields if field[0] not in (KEY, b":method")]
    return [(b":method", b"CONNECT"), (PROTOCOL, b"websocket"), *rest]


def switching_text(fields: Fields, accept: bytes) -> bytes:
    """The 101 that says what this answer to an extended CONNECT does. accept: to the caller's key. Raises HeadError."""
    text = answer_text(fields, b"CONNECT", ended=True)
    block = text.partition(b"\r\n")[2].replace(b"Content-Length: 0\r\n", b"", 1)
    return b"HTTP/1.1 101 Switching Protocols\r\n%bSec-WebSocket-Accept: %b\r\n%b" % (_UPGRADE, accept, block)


def with_attempts(fields: Fields, attempts: int) -> Fields:
    """attempts: made before this one. A service of gRPC is told of them in its own words (gRPC's A6)."""
    if not any(name == b"content-type" and value.startswith(CONTENT_TYPE) for name, value in fields):
        return fields
    return [*(field for field in fields if field[0] != PREVIOUS_ATTEMPTS), (PREVIOUS_ATTEMPTS, b"%d" % attempts)]


def answer_text(fields: Fields, method: bytes, *, ended: bool) -> bytes:
    """The head of the same answer in HTTP/1.1. method: the request's. ended: nothing follows it. Raises HeadError.

    What has no body by its nature says nothing of a length: it would be that of another answer (RFC 9110 §8.6).
    """
    status = b""
    lines: list[bytes] = []
    has_length = False
    for name, value in fields:
        if name == b":status":
            status = value
        else:
            has_length = has_length or name == b"content-length"
            lines.append(b"%b: %b\r\n" % (name, value))
    if not has_length and not (method == b"HEAD" or status in _BARE):
        lines.append(b"Content-Length: 0\r\n" if ended else b"Transfer-Encoding: chunked\r\n")
    text = b"HTTP/1.1 %b \r\n%b" % (status, b"".join(lines))
    if len(status) != 3 or not text.count(b"\n") == text.count(b"\r") == 1 + len(lines):
        raise HeadError(502, "upstream_protocol", "a line break in a field")
    return text + b"\r\n"


def trailer_fields(block: bytes) -> Fields:
    fields: list[tuple[bytes, bytes]] = []
    _add(fields, block)
    return fields


def trailer_block(fields: Fields, *, is_answer: bool = False) -> bytes:
    """Those that may go on, as of a chunked body. Raises HeadError."""
    reader = ChunkedReader(is_answer=is_answer)
    text = b"".join(b"%b: %b\r\n" % field for field in fields)
    if not text.count(b"\n") == text.count(b"\r") == len(fields):
        raise HeadError(400, "bad_request", "a line break in a trailer")
    reader.feed(b"0\r\n%b\r\n" % text)
    return reader.trailers


def answer_trailers(fields: Fields) -> bytes:
    """A service's, that may go on. Raises HeadError."""
    try:
        return trailer_block(fields, is_answer=True)
    except HeadError as error:
        raise HeadError(502, "upstream_protocol", error.detail) from None


def _add(fields: list[tuple[bytes, bytes]], block: bytes) -> None:
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.lower()
            if name not in _OF_A_CONNECTION:
                fields.append((name, value.strip(b" \t")))

"""Between fields of HTTP/2 and the blocks of bytes that everything behind the wire works with (RFC 9113 §8).

A request becomes the HTTP/1.1 head that would ask for the same, and is read by the one scanner that judges heads, so
there are no two opinions about what a request says.
"""

from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.relay.reply_body import reply_body
from gateway.wire.http2.codec import Fields
from meshway.http1.framing import ChunkedReader
from meshway.http1.head import HeadError
from meshway.http1.message import ResponseHead

VERSION: Final = 2  # as a head's `minor`, beside 0 and 1 of HTTP/1
_UNFRAMED: Final = frozenset({204, 304})
# They speak of a connection of HTTP/1.1 (RFC 9113 §8.2.2).
_OF_A_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_SCHEMES: Final = frozenset({b"http", b"https"})


def request_text(fields: Fields, *, ended: bool) -> bytes:
    """The head of the same request in HTTP/1.1. Raises HeadError.

    Of fields that nghttp2 has passed: pseudo-fields are complete, come first and once, and nothing speaks of a
    connection of HTTP/1.1.
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
        else:
            has_length = has_length or name == b"content-length"
            lines.append(b"%b: %b\r\n" % (name, value))
    if crumbs:  # RFC 9113 §8.2.3
        lines.append(b"Cookie: %b\r\n" % b"; ".join(crumbs))
    if wants_trailers:
        lines += (b"TE: trailers\r\n", b"Connection: TE\r\n")
    if not ended and not has_length:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    text = _start(pseudo, host) + b"".join(lines)
    # A line break in a value would begin a field, or a request: nghttp2 passes none, and neither do we.
    if not text.count(b"\n") == text.count(b"\r") == 2 + len(lines):
        raise HeadError(400, "bad_request", "a line break in a field")
    return text + b"\r\n"


def _start(pseudo: dict[bytes, bytes], host: bytes | None) -> bytes:
    method = pseudo.get(b":method", b"")
    authority = pseudo.get(b":authority", b"")
    if host is not None and authority and host.lower() != authority.lower():
        raise HeadError(400, "bad_request", ":authority and host differ")
    if method == b"CONNECT":
        return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (authority, authority)
    path = pseudo.get(b":path", b"")
    if pseudo.get(b":scheme", b"").lower() not in _SCHEMES:
        raise HeadError(400, "bad_request", "a scheme that is not served here")
    if b" " in path or not (path.startswith(b"/") or (path == b"*" and method == b"OPTIONS")):
        raise HeadError(400, "bad_request", "the path is none")
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (method, path, authority or host or b"")


def answer_fields(exchange: Exchange, head: ResponseHead, via: bytes) -> Fields:
    """Of a service's answer, with a Date where it sent none (RFC 9110 §6.6.1). via: a line."""
    fields: list[tuple[bytes, bytes]] = [(b":status", b"%d" % head.status)]
    is_dated = _add(fields, head.block + exchange.added + via)
    if head.body > 0:
        fields.append((b"content-length", b"%d" % head.body))
    elif head.body == 0 and head.content_length is not None and head.status != 204:
        fields.append((b"content-length", b"%d" % head.content_length))
    if not is_dated:
        fields.append((b"date", _date(int(time()))))
    fields.append((b"x-request-id", exchange.request_id))
    return fields


def reply_fields(exchange: Exchange, answer: Reply) -> tuple[Fields, bytes]:
    """Of an answer of our own; the body is announced also where the method forbids to send it."""
    of_body, body = reply_body(exchange, answer)
    fields: list[tuple[bytes, bytes]] = [(b":status", b"%d" % answer.status), (b"date", _date(int(time())))]
    _add(fields, of_body + answer.fields + exchange.added)
    if answer.status not in _UNFRAMED:
        fields.append((b"content-length", b"%d" % len(body)))
    fields += [(b"meshway-reason", answer.reason.encode()), (b"x-request-id", exchange.request_id)]
    return fields, b"" if exchange.method == b"HEAD" else body


def interim_fields(head: ResponseHead) -> Fields:
    fields: list[tuple[bytes, bytes]] = [(b":status", b"%d" % head.status)]
    _add(fields, head.block)
    return fields


def trailer_fields(block: bytes) -> Fields:
    fields: list[tuple[bytes, bytes]] = []
    _add(fields, block)
    return fields


def trailer_block(fields: Fields) -> bytes:
    """Those of a request that may go on, as of a chunked body. Raises HeadError."""
    reader = ChunkedReader()
    text = b"".join(b"%b: %b\r\n" % field for field in fields)
    if not text.count(b"\n") == text.count(b"\r") == len(fields):
        raise HeadError(400, "bad_request", "a line break in a trailer")
    reader.feed(b"0\r\n%b\r\n" % text)
    return reader.trailers


def _add(fields: list[tuple[bytes, bytes]], block: bytes) -> bool:
    """Whether a Date is among them."""
    is_dated = False
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.lower()
            if name not in _OF_A_CONNECTION:
                is_dated = is_dated or name == b"date"
                fields.append((name, value.strip(b" \t")))
    return is_dated


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()

"""The bytes of the heads we write: a request to an upstream, an answer to a caller (RFC 9112).

A block that no filter changed goes on as it came; only start line, framing and what belongs to this hop are ours.
"""

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Final

from gateway.exchange import MESH, Exchange, Reply
from gateway.grpc.web import is_web, media_type, refusal
from gateway.relay.reply_body import reply_body
from gateway.upstream.criticality import FIELD, criticality_line
from meshway.http1.message import CHUNKED, NO_BODY, ResponseHead

_EXPECTS_BODY: Final = frozenset({b"POST", b"PUT", b"PATCH"})
_UNFRAMED: Final = frozenset({204, 304})  # RFC 9110 §8.6: 204 must not say a length, 304 would say the wrong one
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_CHUNKED_FIELD: Final = b"Transfer-Encoding: chunked\r\n"
_UPGRADE_FIELDS: Final = b"Connection: Upgrade\r\nUpgrade: %b\r\n"
_FIRST_ATTEMPT: Final = b"\r\nmeshway-attempt: 1\r\n"
CLOSE_FIELD: Final = b"Connection: close\r\n"
KEEP_ALIVE_FIELD: Final = b"Connection: keep-alive\r\n"


def request_head(exchange: Exchange, left_ms: int) -> bytes:
    """left_ms: for the whole exchange, -1 where nothing bounds it."""
    head = exchange.head
    body = head.body
    if body == NO_BODY:
        framing = b"Content-Length: 0\r\n" if exchange.method in _EXPECTS_BODY else b""
    elif body == CHUNKED:
        framing = _CHUNKED_FIELD
    else:
        framing = b"Content-Length: %d\r\n" % body
    if head.upgrade:
        framing += _UPGRADE_FIELDS % head.upgrade
    elif head.te_trailers:
        framing += b"TE: trailers\r\nConnection: TE\r\n"
    return b"".join(  # half the cost of a format
        (
            exchange.method,
            b" ",
            exchange.path,
            exchange.query,
            b" HTTP/1.1\r\nHost: ",
            exchange.authority,
            b"\r\n",
            exchange.block,
            exchange.forwarded,
            b"x-request-id: ",
            exchange.request_id,
            b"\r\ntraceparent: ",
            exchange.traceparent,
            _FIRST_ATTEMPT if exchange.attempts == 1 else b"\r\nmeshway-attempt: %d\r\n" % exchange.attempts,
            b"meshway-deadline: %d\r\n" % left_ms if left_ms >= 0 else b"",
            criticality_of(exchange),
            framing,
            b"\r\n",
        )
    )


def criticality_of(exchange: Exchange) -> bytes:
    """The line that tells the service, or b""."""
    if exchange.listener == MESH and FIELD in exchange.head.named:
        return criticality_line(exchange)
    return exchange.plan.criticality_line if exchange.plan is not None else b""


def expects_body(method: bytes) -> bool:
    """Whether a request by this method that has none says so (RFC 9110 §8.6)."""
    return method in _EXPECTS_BODY


def answer_head(exchange: Exchange, head: ResponseHead, via: bytes, connection: bytes) -> bytes:
    """With a Date where the upstream sent none: whoever forwards an answer dates it (RFC 9110 §6.6.1).

    A body of unknown length is announced as chunked; a caller of HTTP/1.0 is told nothing, its end is the connection's.
    """
    opening = opening_of(head)
    if head.body < 0 and exchange.head.minor == 0:
        opening = opening.removesuffix(_CHUNKED_FIELD)
    return b"".join(
        (
            opening,
            b"" if head.is_dated else date_line(int(time())),
            exchange.added,
            via,
            b"x-request-id: ",
            exchange.request_id,
            b"\r\n",
            connection,
            b"\r\n",
        )
    )


def opening_of(head: ResponseHead) -> bytes:
    """Start line, block and framing, kept for the next answer with this head."""
    if head.opening is not None:
        return head.opening
    framing = b""
    if head.body > 0:
        framing = b"Content-Length: %d\r\n" % head.body
    elif head.body < 0:
        framing = _CHUNKED_FIELD
    elif head.content_length is not None and head.status != 204:
        framing = b"Content-Length: %d\r\n" % head.content_length
    start = b"HTTP/1.1 %d %b\r\n%b" % (head.status, head.reason, head.block)
    opening = head.opening = start + framing
    head.is_dated = head.status < 200 or start.lower().find(b"\r\ndate:") >= 0
    return opening


@lru_cache(maxsize=2)
def date_line(second: int) -> bytes:
    return b"Date: %b\r\n" % formatdate(second, usegmt=True).encode()


def interim_head(head: ResponseHead) -> bytes:
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.status, head.reason, head.block)


def upgrade_head(exchange: Exchange, head: ResponseHead, via: bytes) -> bytes:
    return answer_head(exchange, head, via, _UPGRADE_FIELDS % head.upgrade)


def reply(exchange: Exchange, answer: Reply, connection: bytes) -> tuple[bytes, bytes]:
    """Head and body of an answer of our own; the body is announced also where the method forbids to send it."""
    status, own, kind = answer.status, answer.fields, media_type(exchange.head.named.get(b"content-type", b""))
    if is_web(kind) and not 300 <= status < 400:
        status, own, (fields, body) = 200, b"", refusal(exchange, answer, kind)
    else:
        fields, body = reply_body(exchange, answer)
    framing = b"" if status in _UNFRAMED else b"Content-Length: %d\r\n" % len(body)
    head = b"HTTP/1.1 %d %b\r\n%b%b%b%b%bmeshway-reason: %b\r\nx-request-id: %b\r\n%b\r\n" % (
        status,
        _REASONS.get(status, b"Status"),
        date_line(int(time())),
        fields,
        framing,
        own,
        exchange.added,
        answer.reason.encode(),
        exchange.request_id,
        connection,
    )
    return head, b"" if exchange.method == b"HEAD" else body

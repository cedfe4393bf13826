"""Lets pages call a service of gRPC: their gRPC-Web becomes gRPC for the service, its answers become gRPC-Web.

Other calls of the rule pass as they are. What we answer ourselves is put into these words where all answers of our own
are written (`gateway/wire/heads.py`).
"""

import msgspec

from gateway.exchange import Exchange
from gateway.grpc.web import (
    SENT,
    SHOWN,
    STATUS_FIELDS,
    TextReader,
    answer_type,
    as_text,
    is_text,
    is_web,
    media_type,
    service_type,
    trailers_frame,
)
from gateway.plan import AnswerEncoding, Encode
from gateway.verdict import AnswerTranslation, Recoding
from meshway.grpc_message import CONTENT_TYPE
from meshway.http1.fields import find, pairs, remove
from meshway.http1.message import CHUNKED, NO_BODY, ResponseHead
from meshway.model.cors_rules import ANY
from meshway.model.rule_actions import Cors

_NOT_SENT_ON = frozenset({b"content-type", b"accept", b"x-grpc-web"})
_NOT_ANSWERED = frozenset({b"content-type", b"content-length", b"trailer"})
# What a service says for HTTP, not for its caller, in a head that has its status.
_OF_HTTP = _NOT_ANSWERED | {b"date", b"server", b"set-cookie", b"grpc-encoding", b"grpc-accept-encoding"}


class _Text(Recoding):
    __slots__ = ("_reader",)

    def __init__(self) -> None:
        self._reader = TextReader()

    def feed(self, data: bytes) -> bytes:
        return self._reader.feed(data)

    @property
    def is_whole(self) -> bool:
        return self._reader.is_whole


def translate(exchange: Exchange) -> Recoding | None:
    """A request filter."""
    kind = media_type(exchange.head.named.get(b"content-type", b""))
    if not is_web(kind) or exchange.method != b"POST":
        return None
    exchange.block = remove(exchange.block, _NOT_SENT_ON) + b"Content-Type: %b\r\n" % service_type(kind)
    head = exchange.head = exchange.head.copy()
    head.te_trailers = True
    if not is_text(kind):
        return None
    if head.body != NO_BODY:
        head.body = CHUNKED
    return _Text()


def with_leave(cors: Cors) -> Cors:
    """With what the scripts of gRPC-Web send and read, for pages that may call at all."""
    return msgspec.structs.replace(
        cors, allow_headers=_joined(cors.allow_headers, SENT), expose_headers=_joined(cors.expose_headers, SHOWN)
    )


def _joined(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    known = {name.lower() for name in names}
    return names if ANY in known else (*names, *(name for name in more if name not in known))


def compile_encode(others: Encode | None) -> Encode:
    """others: what is done with the answers of other calls."""

    def encode(exchange: Exchange, head: ResponseHead) -> AnswerEncoding | AnswerTranslation | None:
        kind = media_type(exchange.head.named.get(b"content-type", b""))
        if is_web(kind):
            content_type = find(head.block, b"content-type") or b""
            if content_type.startswith(CONTENT_TYPE):
                said = exchange.answer.block if exchange.answer is not None else b""
                return WebAnswer(head, answer_type(content_type, kind, exchange.head.block), said)
        return None if others is None else others(exchange, head)

    return encode


def _trailers(block: bytes, said: bytes) -> bytes:
    """Those of an answer that is nothing else: what the service said, and is still in its head's block."""
    if find(block, b"grpc-status") is None:
        return b""
    own = frozenset(pairs(said))
    kept = (pair for pair in pairs(block) if pair[0] in STATUS_FIELDS or (pair in own and pair[0] not in _OF_HTTP))
    return b"".join(b"%b: %b\r\n" % pair for pair in kept)


class WebAnswer(AnswerTranslation):
    """content_type: as the caller gets it. said: the head's fields as the service wrote them. A status that came with
    the head, since there is no message, goes to the end as others do, and metadata beside it stand there, too: pages
    may read them there, whatever fields they may read."""

    __slots__ = ("_is_text", "_status")

    def __init__(self, head: ResponseHead, content_type: bytes, said: bytes) -> None:
        made = head.copy()
        self._status = _trailers(head.block, said)
        kept = remove(head.block, STATUS_FIELDS | _NOT_ANSWERED)
        made.block = kept + b"Content-Type: %b\r\n" % content_type
        made.body, made.content_length = CHUNKED, None
        self._is_text = is_text(content_type)
        self.head = made

    def feed(self, data: bytes) -> bytes:
        return as_text(data) if self._is_text and data else data

    def end(self, trailers: bytes) -> bytes:
        return self.feed(trailers_frame(self._status + trailers))

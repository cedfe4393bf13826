"""Compresses what a service answers, where the caller takes it and the answer gains by it (RFC 9110 §8.4, §12.5.3).

Left alone: what is encoded already, `no-transform`, parts (206), what carries a digest of its bytes, what is small or
of a type that does not shrink. Answers without a length may be streams, so each piece is flushed as it comes.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from gateway.exchange import Exchange
from gateway.filters.codings import Coding, Encoder, choose, codings_of
from gateway.plan import ResponseFilter
from meshway.http1.fields import find, find_all, pairs, remove, set_
from meshway.http1.message import CHUNKED, NO_BODY, ResponseHead
from meshway.model.rule_actions import Compression

_REMEMBERED: Final = 64  # lengths of one head
_LONGEST: Final = 1024  # bytes of a block of fields that is remembered
_TYPES: Final = frozenset(
    {
        b"application/javascript", b"application/json", b"application/ld+json", b"application/manifest+json",
        b"application/problem+json", b"application/wasm", b"application/xhtml+xml", b"application/xml",
        b"application/x-ndjson", b"application/yaml", b"font/otf", b"font/ttf", b"image/bmp", b"image/svg+xml",
        b"image/x-icon", b"image/vnd.microsoft.icon",
    }
)  # fmt: skip
_BODILESS: Final = frozenset({204, 205, 206, 304})
_DIGESTS: Final = frozenset({b"content-digest", b"content-md5", b"digest", b"repr-digest"})
_VARY_FIELD: Final = b"Vary: Accept-Encoding\r\n"


class AnswerEncoding:
    """What one head of a service becomes by one coding. head: while the length of the encoded body is not known."""

    __slots__ = ("_coding", "_wholes", "coding", "head")

    def __init__(self, head: ResponseHead, coding: Coding) -> None:
        self._coding = coding
        self.coding = coding.name
        self.head = _encoded(head, coding)
        self._wholes: dict[int, ResponseHead] = {}

    def whole(self, data: bytes) -> tuple[ResponseHead, bytes]:
        encoded = self._coding.whole(data)
        length = len(encoded)
        # The same head again for the same length, so that its bytes need not be made anew.
        head = self._wholes.get(length)
        if head is None:
            if len(self._wholes) >= _REMEMBERED:
                self._wholes.clear()
            head = self._wholes[length] = self.head.copy()
            head.body = length
        return head, encoded

    def begin(self, size: int) -> "Pieces":
        return Pieces(self._coding.begin(size), is_flushed=size < 0)


class Unchanged:
    """A 304 whose head alone is another one: nothing is encoded."""

    __slots__ = ("coding", "head")

    def __init__(self, head: ResponseHead) -> None:
        self.head = head
        self.coding = b""

    def whole(self, data: bytes) -> tuple[ResponseHead, bytes]:
        raise AssertionError("304 has no body")

    def begin(self, size: int) -> "Pieces":
        raise AssertionError("304 has no body")


class Pieces:
    """The body of one answer that comes bit by bit. is_flushed: what came can be read at once."""

    __slots__ = ("_encoder", "_is_flushed")

    def __init__(self, encoder: Encoder, *, is_flushed: bool) -> None:
        self._encoder = encoder
        self._is_flushed = is_flushed

    def feed(self, data: bytes) -> bytes:
        if not data:
            return b""
        out = self._encoder.feed(data)
        return out + self._encoder.flush() if self._is_flushed else out

    def end(self) -> bytes:
        return self._encoder.end()


def compile_response_filter(compression: Compression) -> ResponseFilter:
    """Says of every answer that might have been compressed that it depends on Accept-Encoding."""

    def vary(head: ResponseHead) -> None:
        fields = dict(pairs(head.block))
        if head.status == 304 or _gains(head, fields, int(compression.min_size)):
            named = b",".join(find_all(head.block, b"vary")).lower()
            if b"accept-encoding" not in named and named.strip() != b"*":
                head.block += _VARY_FIELD

    return vary


def compile_encode(compression: Compression) -> Callable[[Exchange, ResponseHead], AnswerEncoding | Unchanged | None]:
    """Raises CodingMissing."""
    min_size, offered = int(compression.min_size), codings_of(compression.encodings)
    known: ResponseHead | None = None  # the last one, whether it gains, and what it became
    gains = False
    became: dict[Coding, AnswerEncoding] = {}

    def encode(exchange: Exchange, head: ResponseHead) -> AnswerEncoding | Unchanged | None:
        nonlocal known, gains
        block = exchange.head.block
        coding = _chosen(block, offered) if len(block) <= _LONGEST else _choose(block, offered)
        if coding is None:
            return None
        if head.status == 304:
            weak = _unchanged(block, head)
            return None if weak is None else Unchanged(weak)
        if known is not head:
            known, gains = head, _gains(head, dict(pairs(head.block)), min_size)
            became.clear()
        if not gains:
            return None
        encoding = became.get(coding)
        if encoding is None:
            encoding = became[coding] = AnswerEncoding(head, coding)
        return encoding

    return encode


def _choose(block: bytes, offered: tuple[Coding, ...]) -> Coding | None:
    if _forbids_change(block):  # RFC 9111 §5.2.1.6
        return None
    return choose(b",".join(find_all(block, b"accept-encoding")), offered)


# Of blocks that come again, mostly as the same object of a connection.
_chosen = lru_cache(maxsize=512)(_choose)


def _gains(head: ResponseHead, fields: Mapping[bytes, bytes], min_size: int) -> bool:
    if head.status < 200 or head.status in _BODILESS:
        return False
    length = head.content_length if head.body == NO_BODY else head.body
    if length is None or 0 <= length < min_size:
        return False
    if fields.get(b"content-encoding", b"identity").lower() != b"identity" or not _DIGESTS.isdisjoint(fields):
        return False
    if _forbids_change(head.block):
        return False
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind.startswith(b"text/") or kind in _TYPES or kind.endswith((b"+json", b"+xml"))


def _forbids_change(block: bytes) -> bool:
    """By any of its lines: a map of fields would hold the last one alone."""
    values = find_all(block, b"cache-control")
    return bool(values) and b",".join(values).lower().find(b"no-transform") >= 0


def _unchanged(request: bytes, head: ResponseHead) -> ResponseHead | None:
    """A 304 for a caller who has the answer as it was encoded for him: with the weak ETag that stood there, or he could
    not tell that it is meant (RFC 9111 §4.3.4). None: it is as he knows it."""
    tag = find(head.block, b"etag")
    if tag is None or tag[:2] == b"W/":
        return None
    known = b",".join(find_all(request, b"if-none-match"))
    if known.find(b"W/" + tag) < 0:
        return None
    other = head.copy()
    other.block = set_(head.block, b"ETag", b"W/" + tag)
    return other


def _encoded(head: ResponseHead, coding: Coding) -> ResponseHead:
    """A strong ETag becomes a weak one: other bytes stand for the same thing (RFC 9110 §8.8.1)."""
    other = head.copy()
    tag = find_all(head.block, b"etag")
    other.block = remove(head.block, (b"content-encoding", b"accept-ranges", b"etag"))
    other.block += b"Content-Encoding: %b\r\n" % coding.name
    if tag:
        other.block += b"ETag: %b%b\r\n" % (b"" if tag[0].startswith(b"W/") else b"W/", tag[0])
    other.content_length = None
    if head.body != NO_BODY:
        other.body = CHUNKED
    return other

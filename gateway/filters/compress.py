"""Compresses what a service answers, where the caller takes it and the answer gains by it (RFC 9110 §8.4, §12.5.3).

Left alone: what is encoded already, `no-transform`, parts (206), what carries a digest of its bytes, what is small or
of a type that does not shrink. Answers without a length may be streams, so each piece is flushed as it comes.
"""

import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from gateway.exchange import Exchange
from gateway.plan import Encode, ResponseFilter
from meshway.http1.fields import find_all, pairs, remove
from meshway.http1.message import CHUNKED, NO_BODY, ResponseHead
from meshway.model.rule_actions import Compression

LEVEL: Final = 1  # as nginx: the loop waits for it; a higher level takes twice the time for a tenth less
_GZIP: Final = 16  # what zlib wants on top of the window's bits
# Answers up to these sizes get a window as large, and tables to match: what zlib takes by default, 256 KB, is not worth
# a few kilobytes, and the allocator gets it from the kernel and gives it back each time.
_LITTLE: Final = 4 << 10
_SMALL: Final = 16 << 10
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
_ENCODING_FIELD: Final = b"Content-Encoding: gzip\r\n"


class GzipHead:
    """What a service's head becomes. open: while the length is not known."""

    __slots__ = ("_wholes", "open")

    def __init__(self, head: ResponseHead) -> None:
        self.open = _encoded(head)
        self._wholes: dict[int, ResponseHead] = {}

    def whole(self, length: int) -> ResponseHead:
        """With the length of the encoded body; the same head again, so that its bytes need not be made anew."""
        found = self._wholes.get(length)
        if found is None:
            if len(self._wholes) >= _REMEMBERED:
                self._wholes.clear()
            found = self._wholes[length] = self.open.copy()
            found.body = length
        return found


class GzipBody:
    """One answer on its way out. size: of what comes, below 0 = unknown."""

    __slots__ = ("_compress", "_is_flushed", "_wholes", "head")

    def __init__(self, head: GzipHead, size: int) -> None:
        self.head = head.open
        self._wholes = head
        self._is_flushed = size < 0
        if 0 <= size <= _LITTLE:
            self._compress = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP + 12, 5)
        elif 0 <= size <= _SMALL:
            self._compress = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP + 14, 7)
        else:
            self._compress = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP + zlib.MAX_WBITS)

    def feed(self, data: bytes) -> bytes:
        if not data:
            return b""
        out = self._compress.compress(data)
        return out + self._compress.flush(zlib.Z_SYNC_FLUSH) if self._is_flushed else out

    def end(self) -> bytes:
        return self._compress.flush()

    def whole(self, length: int) -> ResponseHead:
        return self._wholes.whole(length)


def compile_response_filter(compression: Compression) -> ResponseFilter:
    """Says of every answer that might have been compressed that it depends on Accept-Encoding."""

    def vary(head: ResponseHead) -> None:
        fields = dict(pairs(head.block))
        if head.status == 304 or _gains(head, fields, int(compression.min_size)):
            named = b",".join(find_all(head.block, b"vary")).lower()
            if b"accept-encoding" not in named and named.strip() != b"*":
                head.block += _VARY_FIELD

    return vary


def compile_encode(compression: Compression) -> Encode:
    min_size = int(compression.min_size)
    known: ResponseHead | None = None  # the last one, and what it becomes
    encoded: GzipHead | None = None

    def encode(exchange: Exchange, head: ResponseHead) -> GzipBody | None:
        nonlocal known, encoded
        block = exchange.head.block
        if not (_caller_takes_gzip(block) if len(block) <= _LONGEST else _field_takes_gzip(block)):
            return None
        if known is not head:
            encoded = GzipHead(head) if _gains(head, dict(pairs(head.block)), min_size) else None
            known = head
        return None if encoded is None else GzipBody(encoded, head.body)

    return encode


def _field_takes_gzip(block: bytes) -> bool:
    return takes_gzip(b",".join(find_all(block, b"accept-encoding")))


# Of blocks that come again, mostly as the same object of a connection.
_caller_takes_gzip = lru_cache(maxsize=512)(_field_takes_gzip)


@lru_cache(maxsize=256)
def takes_gzip(accepted: bytes) -> bool:
    """accepted: the values of Accept-Encoding, comma-joined. Who says nothing gets the answer as it is."""
    weights: dict[bytes, float] = {}
    for part in accepted.lower().split(b","):
        coding, *parameters = (piece.strip() for piece in part.split(b";"))
        weights[b"gzip" if coding == b"x-gzip" else coding] = _weight(parameters)
    gzip = weights.get(b"gzip", weights.get(b"*", 0.0))
    return gzip > 0.0 and gzip >= weights.get(b"identity", 0.0)


def _weight(parameters: list[bytes]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _gains(head: ResponseHead, fields: Mapping[bytes, bytes], min_size: int) -> bool:
    if head.status < 200 or head.status in _BODILESS:
        return False
    length = head.content_length if head.body == NO_BODY else head.body
    if length is None or 0 <= length < min_size:
        return False
    if fields.get(b"content-encoding", b"identity").lower() != b"identity" or not _DIGESTS.isdisjoint(fields):
        return False
    if fields.get(b"cache-control", b"").lower().find(b"no-transform") >= 0:
        return False
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind.startswith(b"text/") or kind in _TYPES or kind.endswith((b"+json", b"+xml"))


def _encoded(head: ResponseHead) -> ResponseHead:
    """A strong ETag becomes a weak one: other bytes stand for the same thing (RFC 9110 §8.8.1)."""
    other = head.copy()
    tag = find_all(head.block, b"etag")
    other.block = remove(head.block, (b"content-encoding", b"accept-ranges", b"etag")) + _ENCODING_FIELD
    if tag:
        other.block += b"ETag: %b%b\r\n" % (b"" if tag[0].startswith(b"W/") else b"W/", tag[0])
    other.content_length = None
    if head.body != NO_BODY:
        other.body = CHUNKED
    return other

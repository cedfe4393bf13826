"""The content codings that answers can get: gzip (RFC 1952), Brotli (RFC 7932) and Zstandard (RFC 8878).

gzip is always there; the two others come with the extra `compress`. Levels are low, since the loop waits for them: a
higher one takes twice the time for a tenth less.
"""

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

try:
    import brotli
except ImportError:
    brotli = None
try:
    import zstandard
except ImportError:
    zstandard = None  # type: ignore[assignment, unused-ignore]

_GZIP_LEVEL: Final = 1  # as nginx
_BROTLI_QUALITY: Final = 1
_BROTLI_WINDOW: Final = 18  # bits: 256 KB
_ZSTD_LEVEL: Final = 1  # its window stays far below the 8 MB that RFC 9659 allows
_GZIP: Final = 16  # what zlib wants on top of the window's bits
# Answers up to these sizes get a window as large, and tables to match: what zlib takes by default, 256 KB, is not worth
# a few kilobytes, and the allocator gets it from the kernel and gives it back each time.
_LITTLE: Final = 4 << 10
_SMALL: Final = 16 << 10


class Encoder(Protocol):
    """Of one answer that comes in pieces."""

    def feed(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes:
        """So that all that was fed can be read."""

    def end(self) -> bytes: ...


class Coding(NamedTuple):
    """begin: for an answer of this size in pieces, below 0 = unknown. whole: of one that is there at once."""

    name: bytes
    begin: Callable[[int], Encoder]
    whole: Callable[[bytes], bytes]


class CodingMissing(Exception):
    """This gateway has no package for it; it says so in words, with the mend."""


class Gzip:
    __slots__ = ("_compress",)

    def __init__(self, size: int) -> None:
        self._compress = _deflate(size)

    def feed(self, data: bytes) -> bytes:
        return self._compress.compress(data)

    def flush(self) -> bytes:
        return self._compress.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._compress.flush()


class Brotli:
    __slots__ = ("_compressor",)

    def __init__(self, _: int) -> None:
        self._compressor = brotli.Compressor(quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW)

    def feed(self, data: bytes) -> bytes:
        return bytes(self._compressor.process(data))

    def flush(self) -> bytes:
        return bytes(self._compressor.flush())

    def end(self) -> bytes:
        return bytes(self._compressor.finish())


class Zstd:
    """With a context of its own: pieces of several answers may come in turn."""

    __slots__ = ("_compress",)

    def __init__(self, size: int) -> None:
        self._compress = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj(size=size)

    def feed(self, data: bytes) -> bytes:
        return self._compress.compress(data)

    def flush(self) -> bytes:
        return self._compress.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._compress.flush()


def _deflate(size: int) -> "zlib._Compress":
    if 0 <= size <= _LITTLE:
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP + 12, 5)
    if 0 <= size <= _SMALL:
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP + 14, 7)
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP + zlib.MAX_WBITS)


def _gzip_whole(data: bytes) -> bytes:
    compress = _deflate(len(data))
    return compress.compress(data) + compress.flush()


def _brotli_whole(data: bytes) -> bytes:
    return bytes(brotli.compress(data, quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW))


CODINGS: Final = {"gzip": Coding(b"gzip", Gzip, _gzip_whole)}
if brotli is not None:
    CODINGS["br"] = Coding(b"br", Brotli, _brotli_whole)
if zstandard is not None:
    # One context for all answers that are there at once: to make one costs more than to compress 2 KB.
    CODINGS["zstd"] = Coding(b"zstd", Zstd, zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress)


def codings_of(names: Sequence[str]) -> tuple[Coding, ...]:
    """Raises CodingMissing."""
    for name in names:
        if name not in CODINGS:
            raise CodingMissing(f"{name} needs a package that this gateway lacks: pip install 'meshway[compress]'")
    return tuple(CODINGS[name] for name in names)


@lru_cache(maxsize=256)
def choose(accepted: bytes, offered: tuple[Coding, ...]) -> Coding | None:
    """What the caller likes best, of equals what is offered first; None: the answer stays as it is (RFC 9110 §12.5.3).

    accepted: the values of Accept-Encoding, comma-joined. Who says nothing gets the answer as it is.
    """
    weights: dict[bytes, float] = {}
    for part in accepted.lower().split(b","):
        name, *parameters = (piece.strip() for piece in part.split(b";"))
        weights[b"gzip" if name == b"x-gzip" else name] = _weight(parameters)
    others = weights.get(b"*", 0.0)
    best = max(offered, key=lambda coding: weights.get(coding.name, others))
    weight = weights.get(best.name, others)
    return best if weight > 0.0 and weight >= weights.get(b"identity", 0.0) else None


def _weight(parameters: list[bytes]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0

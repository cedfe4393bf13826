"""Rows as the store keeps them: msgpack, compressed."""

import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from meshway.telemetry import Row

_LEVEL: Final = 1  # a third of the size for a tenth of level 6's time
_encode: Final = msgspec.msgpack.Encoder().encode
_rows: Final = msgspec.msgpack.Decoder(list[Row])
_sections: Final = msgspec.msgpack.Decoder(dict[str, list[Row]])


def pack(rows: Iterable[Row]) -> bytes:
    """Of one section."""
    return zlib.compress(_encode(list(rows)), _LEVEL)


def unpack(value: bytes) -> list[Row]:
    return _rows.decode(zlib.decompress(value))


def encoded(sections: dict[str, Sequence[Row]]) -> bytes:
    """Of a report, to be compressed elsewhere."""
    return _encode(sections)


def compressed(sections: bytes) -> bytes:
    return zlib.compress(sections, _LEVEL)


def unpack_sections(value: bytes) -> dict[str, list[Row]]:
    return _sections.decode(zlib.decompress(value))

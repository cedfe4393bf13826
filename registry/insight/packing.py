"""Rows as the store keeps them: msgpack, compressed."""

import math
import operator
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from meshway.telemetry import Row

Sections = Mapping[str, Sequence[Row]]
_MOST: Final = 2**53  # of a count, as rows are read
_COUNTS: Final = ("calls", "failed", "rejected", "retries", "bytes_in", "bytes_out", "limited", "shed", "mutual")
_LEVEL: Final = 1  # a third of the size for a tenth of level 6's time
_counts: Final = operator.attrgetter(*_COUNTS)
_encode: Final = msgspec.msgpack.Encoder().encode
_rows: Final = msgspec.msgpack.Decoder(list[Row])
_raw: Final = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_sections: Final = msgspec.msgpack.Decoder(dict[str, list[Row]])


def pack(rows: Iterable[Row]) -> bytes:
    """Of one section. Sums beyond all counting, of gateways that report nonsense, end at the most there is."""
    rows = [_bounded(row) for row in rows]
    return zlib.compress(_encode(rows), _LEVEL)


def unpack(value: bytes) -> list[Row]:
    return _rows.decode(zlib.decompress(value))


def encoded(sections: Sections) -> bytes:
    """Of a report, to be compressed elsewhere."""
    return _encode(sections)


def compressed(sections: bytes) -> bytes:
    return zlib.compress(sections, _LEVEL)


def unpack_sections(value: bytes) -> dict[str, list[Row]]:
    return _sections.decode(zlib.decompress(value))


def unpack_section(value: bytes, section: str) -> list[Row]:
    """One of a report; the others are not made objects of."""
    rows = _raw.decode(zlib.decompress(value)).get(section)
    return [] if rows is None else _rows.decode(rows)


def _bounded(row: Row) -> Row:
    if max(*_counts(row), *row.buckets.values()) <= _MOST and row.seconds < math.inf:
        return row
    bounded = row.copied(row.key)
    for name in _COUNTS:
        setattr(bounded, name, min(getattr(row, name), _MOST))
    bounded.seconds = min(row.seconds, float(_MOST))
    bounded.buckets = {bucket: min(count, _MOST) for bucket, count in row.buckets.items()}
    return bounded

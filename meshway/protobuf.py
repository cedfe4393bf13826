"""The wire format of Protocol Buffers, as far as messages that the mesh itself speaks need it: pure.

Fields without a value are left out, as proto3 has it. Source: protobuf.dev, "Encoding".
"""

import struct
from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_MOST_BITS: Final = 63


class ProtobufFault(ValueError):
    """These bytes are no message."""


def varint(number: int) -> bytes:
    """number: below 2^64; negative ones as the two's complement of 64 bits."""
    number &= (1 << 64) - 1
    if number < 128:
        return bytes((number,))
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """An int32, int64, uint32, bool or enum."""
    return varint(field << 3 | VARINT) + varint(value) if value else b""


def double(field: int, value: float) -> bytes:
    """Also where it is 0: whoever asks for it has a choice of fields."""
    return varint(field << 3 | FIXED64) + struct.pack("<d", value)


def fixed64(field: int, value: int) -> bytes:
    """A number below 2^64 that is mostly large: a moment."""
    return varint(field << 3 | FIXED64) + struct.pack("<Q", value) if value else b""


def octets(field: int, value: bytes) -> bytes:
    """A string or bytes."""
    return block(field, value) if value else b""


def block(field: int, value: bytes) -> bytes:
    """A message, or what is there though it is empty."""
    return varint(field << 3 | BYTES) + varint(len(value)) + value


def read(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field in order: numbers of varints, else bytes (of fixed ones 4 or 8, little-endian).

    Raises ProtobufFault for what is no message, at the field where that shows.
    """
    at, size = 0, len(message)
    while at < size:
        tag, at = _read_varint(message, at)
        kind, field = tag & 7, tag >> 3
        if not field:
            raise ProtobufFault("a field has no number")
        if kind == VARINT:
            value, at = _read_varint(message, at)
            yield field, value
            continue
        if kind == BYTES:
            length, at = _read_varint(message, at)
        elif kind == FIXED64:
            length = 8
        elif kind == FIXED32:
            length = 4
        else:
            raise ProtobufFault(f"field {field} is of a kind that nobody uses")
        end = at + length
        if end > size:
            raise ProtobufFault(f"field {field} is cut off")
        yield field, message[at:end]
        at = end


def as_block(value: int | bytes) -> bytes:
    """Raises ProtobufFault where a number stands in place of a string, of bytes or of a message."""
    if isinstance(value, int):
        raise ProtobufFault("a number is where a text or a message should be")
    return value


def as_text(value: int | bytes) -> str:
    """Raises ProtobufFault."""
    try:
        return as_block(value).decode()
    except UnicodeDecodeError as error:
        raise ProtobufFault("a text is not UTF-8") from error


def as_number(value: int | bytes) -> int:
    """Raises ProtobufFault."""
    if not isinstance(value, int):
        raise ProtobufFault("a text or a message is where a number should be")
    return value


def as_double(value: int | bytes) -> float:
    """Raises ProtobufFault."""
    found = as_block(value)
    if len(found) != 8:
        raise ProtobufFault("a double has 8 bytes")
    return float(struct.unpack("<d", found)[0])


def as_fixed64(value: int | bytes) -> int:
    """Raises ProtobufFault."""
    found = as_block(value)
    if len(found) != 8:
        raise ProtobufFault("a moment has 8 bytes")
    return int.from_bytes(found, "little")


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise ProtobufFault("a number is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value >> 64:
                raise ProtobufFault("a number of more than 64 bits")
            return value, at
        shift += 7
        if shift > _MOST_BITS:
            raise ProtobufFault("a number of more than 64 bits")

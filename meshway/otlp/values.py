"""Attributes and the values they have, to and from protobuf (opentelemetry-proto 1.x, common/v1).

A value is None, a bool, an int, a float, a text, a list or a dict of such; bytes are a text of base64, as in OTLP's
JSON.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from meshway.protobuf import VARINT, ProtobufFault, as_block, as_double, as_number, as_text, block, double, read, varint

MOST_DEPTH: Final = 8
MOST_KEY: Final = 256  # characters
_TEXT, _BOOL, _INT, _DOUBLE, _LIST, _MAP, _BYTES = 1, 2, 3, 4, 5, 6, 7
_SIGN: Final = 1 << 63
_ALL: Final = 1 << 64


def attribute(name: str, value: object) -> bytes:
    """A KeyValue."""
    return block(1, name.encode("utf-8", "replace")) + block(2, any_value(value))


def attributes(field: int, named: Mapping[str, Any]) -> bytes:
    return b"".join(block(field, attribute(name, value)) for name, value in named.items())


def any_value(value: object) -> bytes:
    """What is of none of the kinds is written as its text."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return varint(_BOOL << 3 | VARINT) + varint(value)
    if isinstance(value, int) and -_SIGN <= value < _SIGN:
        return varint(_INT << 3 | VARINT) + varint(value)
    if isinstance(value, float):
        return double(_DOUBLE, value)
    if isinstance(value, Mapping):
        return block(_MAP, b"".join(block(1, attribute(str(name), one)) for name, one in value.items()))
    if isinstance(value, list | tuple):
        return block(_LIST, b"".join(block(1, any_value(one)) for one in value))
    return block(_TEXT, str(value).encode("utf-8", "replace"))


def read_attribute(message: bytes, into: dict[str, Any], depth: int = 0) -> None:
    """The last of a name holds. Raises ProtobufFault."""
    name, value = "", b""
    for field, content in read(message):
        if field == 1:
            name = as_text(content)
        elif field == 2:
            value = as_block(content)
    into[name[:MOST_KEY]] = read_value(value, depth)


def read_value(message: bytes, depth: int = 0) -> Any:
    """Raises ProtobufFault, also for what is deeper than MOST_DEPTH."""
    if depth > MOST_DEPTH:
        raise ProtobufFault(f"a value is nested more than {MOST_DEPTH} deep")
    found: Any = None
    for field, content in read(message):
        if field == _TEXT:
            found = as_text(content)
        elif field == _INT:
            number = as_number(content)
            found = number - _ALL if number >= _SIGN else number
        elif field == _BOOL:
            found = as_number(content) != 0
        elif field == _DOUBLE:
            found = as_double(content)
        elif field == _LIST:
            found = [read_value(as_block(one), depth + 1) for number, one in read(as_block(content)) if number == 1]
        elif field == _MAP:
            found = {}
            for number, one in read(as_block(content)):
                if number == 1:
                    read_attribute(as_block(one), found, depth + 1)
        elif field == _BYTES:
            found = b64encode(as_block(content)).decode()
    return found

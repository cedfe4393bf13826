"""What must hold inside a DescriptorSet."""

import base64
import binascii
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from meshway.descriptor_files import DescriptorFiles, read_descriptor_files
from meshway.http_template import parse_http_template
from meshway.model.descriptor_set import MOST_BYTES, DescriptorSet
from meshway.model.rule_kit import BlockRule, Finding
from meshway.protobuf import ProtobufFault

_GZIP: Final = b"\x1f\x8b"
_AS_GZIP: Final = 31  # of zlib: with gzip's head, the largest window


@lru_cache(maxsize=4)  # a Route's check asks once for each service that it names
def descriptor_files(data: str) -> DescriptorFiles:
    """data: as in the document. Raises ValueError."""
    try:
        packed = base64.b64decode(data, validate=True)
        return read_descriptor_files(_unpacked(packed) if packed[:2] == _GZIP else packed)
    except binascii.Error as error:
        raise ValueError("it is no base64") from error
    except ProtobufFault as error:
        raise ValueError(f"it is no FileDescriptorSet: {error}") from error


def _unpacked(packed: bytes) -> bytes:
    """Raises ValueError."""
    unpacking = zlib.decompressobj(_AS_GZIP)
    try:
        data = unpacking.decompress(packed, MOST_BYTES + 1)
    except zlib.error as error:
        raise ValueError(f"it is no gzip: {error}") from error
    if len(data) > MOST_BYTES:
        raise ValueError(f"unpacked it is more than {MOST_BYTES >> 20} MiB")
    if not unpacking.eof:
        raise ValueError("its gzip is cut off")
    return data


def _data(part: Any) -> Iterator[Finding]:
    try:
        found = descriptor_files(part.data)
    except ValueError as error:
        yield Finding(".data", "bad_value", str(error))
        return
    for name in found.missing:
        yield Finding(".data", "unknown_reference", f'it imports "{name}", which it does not hold: --include_imports')
    for service, methods in found.services.items():
        yield from _paths(
            service, [(method.name, rule.method, rule.path) for method in methods for rule in method.rules]
        )


def _paths(service: str, rules: list[tuple[str, str, str]]) -> Iterator[Finding]:
    known: dict[tuple[str, str], str] = {}
    for name, method, path in rules:
        try:
            pattern = parse_http_template(path).pattern
        except ValueError as error:
            yield Finding(".data", "bad_template", f"{service}.{name}: {error}")
            continue
        other = known.setdefault((method, pattern), name)
        if other != name:
            yield Finding(".data", "conflict", f"{method} {pattern} stands for {service}.{other} and for {name}")


DESCRIPTOR_SET_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    DescriptorSet: (BlockRule(("data",), _data),)
}

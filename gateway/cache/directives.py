"""Cache-Control of a request or an answer, as a map of directives (RFC 9111 §5.2)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from meshway.http1.fields import find_all

MOST_S: Final = 2**31  # RFC 9111 §1.2.2: whoever reads a greater number reads this one
INVALID: Final = -1
_WHITE: Final = b" \t"


@lru_cache(maxsize=1024)
def parse_directives(text: bytes) -> Mapping[bytes, bytes]:
    """Names in lower case, and their arguments, b"" where there are none. Of a name that is repeated with another
    argument the argument is one that no number is: whoever asks for a number is told INVALID."""
    found: dict[bytes, bytes] = {}
    for part in _parts(text):
        name, equals, value = part.partition(b"=")
        name = name.strip(_WHITE).lower()
        value = value.strip(_WHITE)
        if value[:1] == b'"':
            value = value.strip(b'"')
        if name:
            known = found.get(name)
            found[name] = value if known is None or known == value else b"?" if equals else known
    return found


def directives_of(block: bytes) -> Mapping[bytes, bytes]:
    """Of a block of fields."""
    values = find_all(block, b"cache-control")
    return parse_directives(values[0] if len(values) == 1 else b",".join(values))


def seconds_of(directives: Mapping[bytes, bytes], name: bytes) -> int | None:
    """None: it is not there. INVALID: it is, without a number."""
    value = directives.get(name)
    return None if value is None else read_seconds(value)


def read_seconds(value: bytes) -> int:
    """delta-seconds (RFC 9111 §1.2.2), or INVALID."""
    if not value or value.strip(b"0123456789"):
        return INVALID
    return min(int(value), MOST_S) if len(value) <= 10 else MOST_S


def _parts(text: bytes) -> list[bytes]:
    """Between the commas that stand in no quotes."""
    if text.find(b'"') < 0:
        return text.split(b",")
    parts: list[bytes] = []
    part = bytearray()
    is_quoted = is_escaped = False
    for code in text:
        if is_escaped:
            is_escaped = False
        elif is_quoted and code == 0x5C:
            is_escaped = True
        elif code == 0x22:
            is_quoted = not is_quoted
        elif code == 0x2C and not is_quoted:
            parts.append(bytes(part))
            part.clear()
            continue
        part.append(code)
    parts.append(bytes(part))
    return parts

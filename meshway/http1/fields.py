"""Reading and changing a block of header fields: lines `Name: value CRLF`, already judged by a reader.

For names that are not in `named`, and for policies. A block that nobody changes is never taken apart.
"""

from collections.abc import Collection
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import Final

_NAME: Final = (ascii_letters + digits + "!#$%&'*+-.^_`|~").encode()
_ALIKE: Final = bytes.maketrans(ascii_uppercase.encode() + b"_", ascii_lowercase.encode() + b"-")
_VALUE: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])


def is_name(name: bytes) -> bool:
    """Whether these bytes can stand as a field's name."""
    return bool(name) and not name.translate(None, _NAME)


def is_value(value: bytes) -> bool:
    """Whether these bytes can stand as a field's value: no control, no white space around."""
    return value == value.strip(b" \t") and not value.translate(None, _VALUE)


def find(block: bytes, name: bytes) -> bytes | None:
    """The first value of this name, or None. name: lower-case."""
    # By `partition`, as everywhere here: `find` and `startswith` read their arguments by a format, at twice the cost.
    before, found, _ = (b"\n" + block.lower()).partition(b"\n" + name + b":")
    return block[len(before) + len(name) + 1 :].partition(b"\r\n")[0].strip(b" \t") if found else None


def find_all(block: bytes, name: bytes) -> list[bytes]:
    """All values of this name, in order. name: lower-case."""
    key = b"\n" + name + b":"
    before, found, rest = (b"\n" + block.lower()).partition(key)
    values: list[bytes] = []
    at = -1  # the first line feed is not of the block
    while found:
        at += len(before) + len(key)
        values.append(block[at:].partition(b"\r\n")[0].strip(b" \t"))
        before, found, rest = rest.partition(key)
    return values


def pairs(block: bytes) -> list[tuple[bytes, bytes]]:
    """(lower-case name, value) of every field, as ASGI wants them."""
    found: list[tuple[bytes, bytes]] = []
    for line in block.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            found.append((name.lower(), value.strip(b" \t")))
    return found


def remove(block: bytes, names: Collection[bytes]) -> bytes:
    """The block without the fields of these names (lower-case); the same object when there are none."""
    lowered = block.lower()
    for name in names:
        # `in` would cost thrice: it first tries to read the name as a number (bytes.__contains__); `find` twice.
        if lowered.partition(name)[1]:
            break
    else:
        return block
    gone = frozenset(names)
    lines = block.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].lower() not in gone]
    return b"\r\n".join(kept) if len(kept) < len(lines) else block


def dashed(names: Collection[bytes]) -> frozenset[bytes]:
    """Names (lower-case) as `remove_alike` wants them."""
    return frozenset([name.replace(b"_", b"-") for name in names])


def remove_alike(block: bytes, names: frozenset[bytes]) -> bytes:
    """As `remove`, of what CGI and WSGI read as these names, too: they take `_` for `-`. names: `dashed`."""
    alike = block.translate(_ALIKE)
    for name in names:
        if alike.partition(name)[1]:
            break
    else:
        return block
    lines = block.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].translate(_ALIKE) not in names]
    return b"\r\n".join(kept) if len(kept) < len(lines) else block


def add(block: bytes, name: bytes, value: bytes) -> bytes:
    """The block with one more field. name and value must be clean (is_name, is_value)."""
    return b"%b%b: %b\r\n" % (block, name, value)


def set_(block: bytes, name: bytes, value: bytes) -> bytes:
    """The block with this field once, whatever there was. name may be written in any case."""
    return add(remove(block, (name.lower(),)), name, value)

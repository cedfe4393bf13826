"""What a field section of HTTP/3 may say (RFC 9114 §4.2, §4.3) before it is read as any other head; pure.

What nghttp2 does for HTTP/2. The values themselves are judged by the scanner of all heads.
"""

import re
from typing import Final

from gateway.wire.multiplexed.messages import Fields

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BREAKS: Final = re.compile(rb"[\r\n\0]")
_OF_A_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path", b":protocol"})
_ASKED: Final = frozenset({b":method", b":scheme", b":path"})
_CONNECTED: Final = frozenset({b":method", b":authority"})
_DIGITS: Final = 19  # of a length
FIELD_BYTES: Final = 32  # that each counts for beside its name and value (§4.2.2)


class Malformed(Exception):
    """The message is none: its stream ends."""


def size_of(fields: Fields) -> int:
    return sum(len(name) + len(value) + FIELD_BYTES for name, value in fields)


def check_request(fields: Fields) -> int:
    """Returns the length that the body is said to have, -1 = none is said. Raises Malformed."""
    seen: set[bytes] = set()
    regular = len(fields)
    for at, (name, value) in enumerate(fields):
        if name[:1] != b":":
            regular = at
            break
        if name not in _PSEUDO or name in seen or _BREAKS.search(value) is not None:
            raise Malformed("a pseudo-field that may not be")
        seen.add(name)
    if not is_connect(fields):
        is_asked = seen >= _ASKED and b":protocol" not in seen
    else:  # a plain one, or an extended one, which has them all (RFC 9220 §3)
        is_asked = seen == (_PSEUDO if b":protocol" in seen else _CONNECTED)
    if not is_asked:
        raise Malformed("pseudo-fields that are missing, or too many")
    return check_fields(fields[regular:])


def is_connect(fields: Fields) -> bool:
    return (b":method", b"CONNECT") in fields


def check_fields(fields: Fields) -> int:
    """Of fields without pseudo-fields, as trailers are; as `check_request`."""
    length = -1
    for name, value in fields:
        if _NAME.fullmatch(name) is None or _BREAKS.search(value) is not None:
            raise Malformed("a field that may not be")
        if value.strip(b" \t") != value:  # as RFC 9113 §8.2.1 has it for HTTP/2
            raise Malformed("a value with spaces at its ends")
        if name in _OF_A_CONNECTION or (name == b"te" and value.lower() != b"trailers"):
            raise Malformed("a field of a connection of HTTP/1.1")
        if name == b"content-length":
            if not value.isdigit() or len(value) > _DIGITS or length >= 0:
                raise Malformed("a length that is none")
            length = int(value)
    return length

"""How gRPC writes one message into a body, and what it says of a call: the part that unary calls need. Pure.

Source: "gRPC over HTTP2" (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
"""

import math
import struct
from typing import Final

CONTENT_TYPE: Final = b"application/grpc"
PREFIX_SIZE: Final = 5
OK: Final = 0
DEADLINE_EXCEEDED: Final = 4
PERMISSION_DENIED: Final = 7
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16
_LAST: Final = 16
UNKNOWN: Final = 2
UNIMPLEMENTED: Final = 12
RESOURCE_EXHAUSTED: Final = 8
INTERNAL: Final = 13
_MS_OF_UNIT: Final = {b"H": 3_600_000.0, b"M": 60_000.0, b"S": 1_000.0, b"m": 1.0, b"u": 0.001, b"n": 0.000_001}
_MOST_DIGITS: Final = 8
_MOST: Final = 10**_MOST_DIGITS - 1


class GrpcFault(ValueError):
    """The answer breaks the protocol."""


def framed(message: bytes) -> bytes:
    """Not compressed, and how long."""
    return struct.pack("!BI", 0, len(message)) + message


def unframed(body: bytes) -> bytes:
    """The one message of a body. Raises GrpcFault."""
    if len(body) < PREFIX_SIZE:
        raise GrpcFault("the answer has no message")
    compressed, length = struct.unpack_from("!BI", body)
    if compressed or length != len(body) - PREFIX_SIZE:
        raise GrpcFault("the answer is not one whole, plain message")
    return body[PREFIX_SIZE:]


def status_of(value: bytes | None) -> int:
    """Of a field `grpc-status`. Raises GrpcFault."""
    if value is None or not value.isdigit() or len(value) > 2 or int(value) > _LAST:
        raise GrpcFault("the answer has no grpc-status")
    return int(value)


def timeout_field(timeout_s: float) -> bytes:
    """Of at most eight digits."""
    left_ms = max(1, round(timeout_s * 1000.0))
    return b"%dm" % left_ms if left_ms <= _MOST else b"%dS" % min(left_ms // 1000, _MOST)


def timeout_ms(value: bytes) -> int | None:
    """Of a field `grpc-timeout`, whole milliseconds, rounded up; None: it is none."""
    digits, unit = value[:-1], _MS_OF_UNIT.get(value[-1:])
    if unit is None or not digits.isdigit() or len(digits) > _MOST_DIGITS:
        return None
    return math.ceil(int(digits) * unit)


def message_field(text: str) -> bytes:
    """`grpc-message`: what is not printable ASCII, and `%`, as percent and hexadecimal digits of UTF-8."""
    return b"".join(
        bytes((byte,)) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte for byte in text.encode()
    )

"""Statuses of gRPC and of HTTP, each by the other.

Sources: google/rpc/code.proto, which names the HTTP status of each code, and gRPC's "HTTP to gRPC Status Code Mapping";
where ours differ from the latter we know better: a limit is no outage.
"""

from typing import Final

from meshway.grpc_message import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    UNKNOWN,
)

CODES: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
# By code, in order. Of a length that is not said: machine code makes one of a known length anew for each look.
_HTTP: Final[tuple[int, ...]] = (200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401)
_UNKNOWN_CODE: Final = 500
_OF_HTTP: Final = {
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    405: UNIMPLEMENTED,
    408: DEADLINE_EXCEEDED,
    413: RESOURCE_EXHAUSTED,
    414: RESOURCE_EXHAUSTED,
    421: UNAVAILABLE,
    429: RESOURCE_EXHAUSTED,
    431: RESOURCE_EXHAUSTED,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: DEADLINE_EXCEEDED,
    508: UNAVAILABLE,
}


def code_of(status: int) -> int:
    """Of an answer of our own that HTTP would have with this status."""
    return _OF_HTTP.get(status, UNKNOWN)


def http_status(code: int) -> int:
    """A code that gRPC does not know is an error of the service."""
    return _HTTP[code] if 0 <= code < len(_HTTP) else _UNKNOWN_CODE


def read_code(value: bytes | None) -> int:
    """Of a field `grpc-status`, -1: it is none."""
    return int(value) if value is not None and value.isdigit() and len(value) <= 2 else -1

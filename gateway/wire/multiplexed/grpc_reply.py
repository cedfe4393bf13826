"""An answer of our own to a call of gRPC: its status in trailers alone, as its callers read it.

Sources: "gRPC over HTTP2" (Trailers-Only) and gRPC's "HTTP to gRPC Status Code Mapping"; where this differs from the
latter we know better: a limit is no outage.
"""

from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.wire.multiplexed.messages import Fields
from meshway.grpc_message import (
    CONTENT_TYPE,
    DEADLINE_EXCEEDED,
    INTERNAL,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    UNKNOWN,
    message_field,
)

_BY_STATUS: Final = {
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


def is_grpc(exchange: Exchange) -> bool:
    content_type = exchange.head.named.get(b"content-type", b"")
    return content_type == CONTENT_TYPE or content_type.startswith((CONTENT_TYPE + b"+", CONTENT_TYPE + b";"))


def trailers_only(answer: Reply, fields: Fields) -> Fields:
    """fields: of the same answer as HTTP has it."""
    kept = [field for field in fields if field[0] not in _OF_A_BODY]
    code = _BY_STATUS.get(answer.status, UNKNOWN)
    words = answer.detail or answer.reason.replace("_", " ")
    said = [(b"grpc-status", b"%d" % code), (b"grpc-message", message_field(words))]
    return [(b":status", b"200"), (b"content-type", CONTENT_TYPE), *kept, *said]


_OF_A_BODY: Final = frozenset({b":status", b"content-type", b"content-length", b"content-encoding"})

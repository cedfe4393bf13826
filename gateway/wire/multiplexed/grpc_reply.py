"""An answer of our own to a call of gRPC: its status in trailers alone, as its callers read it.

Source: "gRPC over HTTP2" (Trailers-Only).
"""

from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.grpc.status import code_of, read_code
from gateway.wire.multiplexed.messages import Fields
from meshway.grpc_message import CONTENT_TYPE, message_field


def is_grpc(exchange: Exchange) -> bool:
    content_type = exchange.head.named.get(b"content-type", b"")
    return content_type == CONTENT_TYPE or content_type.startswith((CONTENT_TYPE + b"+", CONTENT_TYPE + b";"))


def trailers_only(exchange: Exchange, answer: Reply, fields: Fields) -> Fields:
    """fields: of the same answer as HTTP has it."""
    kept = [field for field in fields if field[0] not in _OF_A_BODY]
    said: list[tuple[bytes, bytes]] = []
    own = next((value for name, value in kept if name == b"grpc-status"), None)
    if own is not None:
        exchange.grpc_code = read_code(own)
    else:
        code = exchange.grpc_code = code_of(answer.status)
        words = answer.detail or answer.reason.replace("_", " ")
        said = [(b"grpc-status", b"%d" % code), (b"grpc-message", message_field(words))]
    return [(b":status", b"200"), (b"content-type", CONTENT_TYPE), *kept, *said]


_OF_A_BODY: Final = frozenset({b":status", b"content-type", b"content-length", b"content-encoding"})

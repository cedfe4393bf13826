"""A request to a service as fields, of what `heads.request_head` writes as text for services that speak HTTP/1.1.

Blocks are told apart into fields once and known then: most requests of a caller have the one of his last.
"""

from typing import Final

from gateway.exchange import Exchange
from gateway.wire.heads import criticality_of, expects_body
from gateway.wire.multiplexed.fields import GRPC_TIMEOUT, trailer_fields
from gateway.wire.multiplexed.messages import Fields
from meshway.grpc_message import CONTENT_TYPE, timeout_field
from meshway.http1.message import NO_BODY

MOST_BLOCKS: Final = 128
_MOST_BLOCK: Final = 2048  # bytes of one that is kept
_FIRST_ATTEMPT: Final = (b"meshway-attempt", b"1")
_NO_LENGTH: Final = (b"content-length", b"0")
_TRAILERS: Final = (b"te", b"trailers")


class FieldBlocks:
    """The fields of blocks, of those that came last."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, list[tuple[bytes, bytes]]] = {}

    def read(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """block: each line `Name: value CRLF`. Names in lower case; the list is not to be changed."""
        fields = self._known.get(block)
        if fields is None:
            fields = list(trailer_fields(block))
            if len(block) <= _MOST_BLOCK:
                if len(self._known) >= MOST_BLOCKS:
                    self._known.clear()
                self._known[block] = fields
        return fields


def request_fields(exchange: Exchange, scheme: bytes, left_ms: int, place: bytes, blocks: FieldBlocks) -> Fields:
    """left_ms: for its answer, -1 where nothing bounds it: a service of gRPC is told in its own words. place: address
    and port of who is asked, the authority of a caller of HTTP/1.0 who names none: without, a service holds it to be
    malformed (RFC 9113 §8.3.1), and failed for us.
    """
    head = exchange.head
    fields: list[tuple[bytes, bytes]] = [
        (b":method", exchange.method),
        (b":scheme", scheme),
        (b":authority", exchange.authority or place),
        (b":path", exchange.path + exchange.query),
    ]
    fields += blocks.read(exchange.block)
    # Most requests are told from gRPC's by one search of their text.
    may_be_grpc = left_ms >= 0 and (CONTENT_TYPE in exchange.block or GRPC_TIMEOUT in head.named)
    if may_be_grpc and any(_speaks_of_time(name, value) for name, value in fields):
        fields = [field for field in fields if field[0] != GRPC_TIMEOUT]
        fields.append((GRPC_TIMEOUT, timeout_field(left_ms / 1000.0)))
    fields += blocks.read(exchange.forwarded)
    fields.append((b"x-request-id", exchange.request_id))
    fields.append((b"traceparent", exchange.traceparent))
    fields.append(_FIRST_ATTEMPT if exchange.attempts == 1 else (b"meshway-attempt", b"%d" % exchange.attempts))
    if left_ms >= 0:
        fields.append((b"meshway-deadline", b"%d" % left_ms))
    criticality = criticality_of(exchange)
    if criticality:
        fields += blocks.read(criticality)
    if head.body > 0:
        fields.append((b"content-length", b"%d" % head.body))
    elif head.body == NO_BODY and expects_body(exchange.method):
        fields.append(_NO_LENGTH)
    if head.te_trailers and not head.upgrade:
        fields.append(_TRAILERS)
    return fields


def _speaks_of_time(name: bytes, value: bytes) -> bool:
    """The request is gRPC's, or says how long its caller waits in gRPC's words."""
    return name == GRPC_TIMEOUT or (name == b"content-type" and value.startswith(CONTENT_TYPE))

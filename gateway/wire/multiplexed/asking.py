"""A request to a service as fields, of what `heads.request_head` writes as text for services that speak HTTP/1.1.

Blocks are told apart into fields once and known then, and so is all that requests with one have in common: most of a
caller's are like his last one but for their path, their ids and the time that is left.
"""

from typing import Final

from gateway.exchange import Exchange
from gateway.wire.heads import criticality_of, expects_body
from gateway.wire.multiplexed.fields import GRPC_TIMEOUT, trailer_fields
from gateway.wire.multiplexed.messages import Fields
from meshway.grpc_message import CONTENT_TYPE, timeout_field
from meshway.http1.fields import remove
from meshway.http1.message import NO_BODY

MOST_BLOCKS: Final = 128
_MOST_BLOCK: Final = 2048  # bytes of one that is kept
_FIRST_ATTEMPT: Final = (b"meshway-attempt", b"1")
_NO_LENGTH: Final = (b"content-length", b"0")
_TRAILERS: Final = (b"te", b"trailers")
# Scheme, method, authority, the block of the way here, that of its criticality, whether trailers are wanted, whether
# the time for its answer is bounded and whether its caller bounds it in gRPC's words.
Facts = tuple[bytes, bytes, bytes, bytes, bytes, bool, bool, bool]


class Alike:
    """What most requests with one block have in common. facts: by which they are told apart. fields: the sum of them.
    is_timed: a service of gRPC is asked, which is told in its own words how long its answer may take."""

    __slots__ = ("facts", "fields", "is_timed")

    def __init__(self, facts: Facts, fields: list[tuple[bytes, bytes]], *, is_timed: bool) -> None:
        self.facts, self.fields, self.is_timed = facts, fields, is_timed


class FieldBlocks:
    """Of the blocks that came last, their fields and what requests with them have in common."""

    __slots__ = ("_alike", "_known")

    def __init__(self) -> None:
        self._known: dict[bytes, list[tuple[bytes, bytes]]] = {}
        self._alike: dict[bytes, Alike] = {}

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

    def alike(self, block: bytes, facts: Facts) -> Alike:
        """block: of the request."""
        known = self._alike.get(block)
        if known is not None and known.facts == facts:
            return known
        made = self._learn(block, facts)
        if len(block) <= _MOST_BLOCK:
            if len(self._alike) >= MOST_BLOCKS:
                self._alike.clear()
            self._alike[block] = made
        return made

    def _learn(self, block: bytes, facts: Facts) -> Alike:
        scheme, method, authority, forwarded, criticality, wants_trailers, is_bounded, is_timed = facts
        own = self.read(block)
        if is_bounded and not is_timed:
            is_timed = any(name == b"content-type" and value.startswith(CONTENT_TYPE) for name, value in own)
        if is_timed:
            own = [field for field in own if field[0] != GRPC_TIMEOUT]
        fields = [(b":method", method), (b":scheme", scheme), (b":authority", authority), *own, *self.read(forwarded)]
        if criticality:
            fields += self.read(criticality)
        if wants_trailers:
            fields.append(_TRAILERS)
        return Alike(facts, fields, is_timed=is_timed)


def request_fields(exchange: Exchange, scheme: bytes, left_ms: int, place: bytes, blocks: FieldBlocks) -> Fields:
    """left_ms: for its answer, -1 where nothing bounds it: a service of gRPC is told in its own words. place: address
    and port of who is asked, the authority of a caller of HTTP/1.0 who names none: without, a service holds it to be
    malformed (RFC 9113 §8.3.1), and failed for us.
    """
    head = exchange.head
    block, is_timed = exchange.block, left_ms >= 0 and GRPC_TIMEOUT in head.named
    alike = blocks.alike(
        _untimed(block) if is_timed else block,
        (
            scheme,
            exchange.method,
            exchange.authority or place,
            exchange.forwarded,
            criticality_of(exchange),
            head.te_trailers and not head.upgrade,
            left_ms >= 0,
            is_timed,
        ),
    )
    fields: list[tuple[bytes, bytes]] = [(b":path", exchange.path + exchange.query)]
    fields += alike.fields
    fields.append((b"x-request-id", exchange.request_id))
    fields.append((b"traceparent", exchange.traceparent))
    fields.append(_FIRST_ATTEMPT if exchange.attempts == 1 else (b"meshway-attempt", b"%d" % exchange.attempts))
    if left_ms >= 0:
        fields.append((b"meshway-deadline", b"%d" % left_ms))
        if alike.is_timed:
            fields.append((GRPC_TIMEOUT, timeout_field(left_ms / 1000.0)))
    if head.body > 0:
        fields.append((b"content-length", b"%d" % head.body))
    elif head.body == NO_BODY and expects_body(exchange.method):
        fields.append(_NO_LENGTH)
    return fields


def _untimed(block: bytes) -> bytes:
    """Without grpc-timeout, which is another one in each call: so the rest is known."""
    before, found, rest = block.partition(b"grpc-timeout: ")  # as HTTP/2 has it
    if found and (not before or before[-1:] == b"\n"):
        return before + rest.partition(b"\r\n")[2]
    return remove(block, (GRPC_TIMEOUT,))

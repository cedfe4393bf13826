"""An answer that was kept, given to a caller: whole, its head alone, a part of it, or word that he has it already.

It stands in the place of the call's attempt while a large one is on its way.
"""

from typing import TYPE_CHECKING, Final

from gateway.cache.conditions import is_unchanged, part_of, partial
from gateway.cache.stored import StoredAnswer
from gateway.exchange import Exchange
from gateway.verdict import AnswerTranslation, Detour
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.cache.rule_cache import RuleCache
    from gateway.plan import RoutePlan
    from gateway.relay.call import Call

PIECE: Final = 64 * 1024
MOST_ENCODED: Final = 256 * 1024  # bytes that are encoded at once, and kept so; more are encoded piece by piece
MARK: Final = "RFCF"  # as Envoy marks what its cache answers


class Whole(Detour):
    """A `Source` of answers to requests that are whole."""

    __slots__ = ("is_over",)
    upstream = None  # no connection is behind it

    def send_body(self, data: bytes) -> None:
        raise AssertionError("the request has ended")

    def send_end(self, trailers: bytes) -> None:
        raise AssertionError("the request has ended")


class Given(Whole):
    """outcome: for log and metrics, of rule_cache.OUTCOMES. words: what Cache-Status says (RFC 9211)."""

    __slots__ = ("_at", "_body", "_cache", "_call", "_is_paused", "_stored", "outcome", "words")

    def __init__(self, cache: "RuleCache", stored: StoredAnswer, outcome: str, words: bytes) -> None:
        self._cache, self._stored = cache, stored
        self.outcome, self.words = outcome, words
        self.is_over = False

    def begin(self, call: "Call", plan: "RoutePlan", index: int) -> None:
        exchange, stored = call.exchange, self._stored
        now = call.relay.now()
        note(self._cache, exchange, self.outcome, self.words)
        exchange.mark(MARK)
        exchange.added += b"Age: %d\r\n" % max(0, int(stored.age_s(now)))
        head, body, is_fitted = self._fit(exchange, plan)
        exchange.answer = stored.head
        exchange.status = head.status
        exchange.first_byte = now
        send = call.send if is_fitted else call.show
        if len(body) <= PIECE:
            exchange.bytes_out = len(body)
            send(head, body, True, b"", now)
            return
        self._call, self._body, self._at, self._is_paused = call, body, PIECE, False
        exchange.bytes_out = PIECE
        call.attempt = self
        send(head, body[:PIECE], False, b"", now)
        self._go_on()

    def _fit(self, exchange: Exchange, plan: "RoutePlan") -> tuple[ResponseHead, bytes, bool]:
        """For this caller; whether nothing else is to be done for him."""
        stored = self._stored
        head, body = stored.head, stored.body
        block = exchange.head.block
        if head.status == 200 and is_unchanged(block, stored.origin):
            encoding = plan.encode(exchange, head) if plan.encode is not None else None
            return (
                stored.unchanged(
                    encoding.head if encoding is not None and not isinstance(encoding, AnswerTranslation) else None
                ),
                b"",
                False,
            )
        if exchange.method == b"HEAD":
            return stored.bodiless(), b"", False
        if head.status == 200 and (part := part_of(block, stored.origin, len(body))) is not None:
            return *partial(head, body, part), False
        if plan.encode is None or exchange.replaced is not None or len(body) > MOST_ENCODED:
            return head, body, False
        encoding = plan.encode(exchange, head)
        if encoding is None or isinstance(encoding, AnswerTranslation):
            return head, body, encoding is None
        known = stored.encoded.get(encoding.coding)
        if known is None:
            known = stored.encoded[encoding.coding] = encoding.whole(body)
            self._cache.store.grow(stored, len(known[1]))
        return *known, True

    # As a source.

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._go_on()

    def cancel(self, outcome: str, now: float) -> None:
        self.is_over = True

    def _go_on(self) -> None:
        call = self._call
        while not self._is_paused and not self.is_over:
            piece = self._body[self._at : self._at + PIECE]
            self._at += len(piece)
            if not piece:
                self.is_over = True
                call.pass_end(b"", call.relay.now())
                return
            call.exchange.bytes_out += len(piece)
            call.downstream.send_body(piece)


def note(cache: "RuleCache", exchange: Exchange, outcome: str, words: bytes) -> None:
    """Tells the caller, the log and the metrics what became of the call in the cache."""
    exchange.added += b"Cache-Status: meshway; %b\r\n" % words
    exchange.metadata += b',"cache":"%b"' % outcome.encode()
    cache.count(outcome)

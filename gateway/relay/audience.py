"""The callers of one answer that is fetched for the cache: who is among them, and what each has had of it.

What comes is passed on as it comes, to each as fast as he takes it; what is kept is held for whoever is slow. Below
filling.py, which fetches it.
"""

from abc import abstractmethod

from gateway.cache.conditions import is_unchanged
from gateway.cache.key import Key
from gateway.cache.rule_cache import MOST_BACKGROUND, Coming, RuleCache
from gateway.cache.stored import StoredAnswer, not_modified
from gateway.exchange import Exchange
from gateway.plan import RoutePlan
from gateway.relay.arriving import Arriving
from gateway.relay.call import Call
from gateway.relay.given import note
from gateway.relay.reader import Reader
from gateway.relay.relay import Relay
from gateway.relay.sharing import credit, may_share
from gateway.wire.interfaces import Address
from meshway.http1.message import ResponseHead


class Audience(Coming):
    """stale: what there is of the answer already, asked for anew. is_background: it is fetched though nobody waits.
    keeps: what comes may still be kept.

    The leader asked first, and gets whatever comes; all others only what may be shared.
    """

    __slots__ = (
        "_block", "_body", "_call", "_ends", "_head", "_is_background", "_is_over", "_is_whole", "_leader", "_origin",
        "_readers", "_size", "_trailers", "cache", "keeps", "stale",
    )  # fmt: skip

    _block: bytes
    _call: Call
    _origin: ResponseHead

    def __init__(self, cache: RuleCache, key: Key, stale: StoredAnswer | None, *, is_background: bool) -> None:
        super().__init__(key)
        self.cache, self.stale = cache, stale
        self.keeps = True
        self._readers: list[Reader] = []
        self._leader: Reader | None = None
        self._ends: tuple[Address | None, Address | None] = (None, None)  # of the leader's connection
        self._body = Arriving()
        self._size = 0  # bytes that are counted as coming
        self._head: ResponseHead | None = None
        self._is_whole = self._is_over = False
        self._is_background = is_background
        self._trailers = b""

    @abstractmethod
    def ask(self, relay: Relay, exchange: Exchange, plan: RoutePlan) -> None:
        """exchange: of whoever asks first, when all filters have seen it."""

    @abstractmethod
    def _stop(self) -> None:
        """Nobody wants it."""

    def join(self, reader: Reader) -> None:
        if self._leader is None and not self._is_background:
            self._leader = reader
            self._readers.append(reader)
            call = reader.call
            self._ends = call.downstream.ends()
            self.ask(call.relay, call.exchange, reader.plan)
        elif self._head is not None:
            self._readers.append(reader)
            self._admit(reader)
        else:
            self._readers.append(reader)

    def left(self, reader: Reader) -> None:
        """He wants no more of it. Without anybody who does, it is not fetched on."""
        if reader in self._readers:
            self._readers.remove(reader)
        if not self._readers and not self._is_over and not self._is_background:
            self._stop()
        elif not self.keeps:
            self._trim()
        self._uncount()

    def slowed(self) -> None:
        """Somebody does not take what comes. What is kept comes on for the others; what is not waits for him."""
        if not self.keeps and not self._is_over:
            self._call.on_write_paused()

    def go_on(self, reader: Reader) -> None:
        self._push(reader)
        if not self.keeps and not self._is_over and not any(each.is_paused for each in self._readers):
            self._call.on_write_resumed()

    def _send_others_away(self) -> None:
        readers, self._readers = self._readers, [each for each in self._readers if each is self._leader]
        for reader in readers:
            if reader is not self._leader and not reader.is_over:
                reader.ask_again()

    def _dismiss(self) -> list[Reader]:
        """All who are still there; nothing more goes to them from here."""
        readers, self._readers = self._readers, []
        return [reader for reader in readers if not reader.is_over]

    def _admit(self, reader: Reader) -> None:
        """The head, to one who has not got it."""
        head, leader = self._head, self._leader
        assert head is not None
        if reader is not leader and not self._may_share(reader):
            self._readers.remove(reader)
            reader.ask_again()
            return
        reader.started()
        call, exchange = reader.call, reader.call.exchange
        now = self.cache.now()
        self._note(reader)
        if reader is leader:
            exchange.mark(self._call.exchange.flag)
        exchange.answer, exchange.first_byte = self._origin, now
        if head.status == 200 and is_unchanged(exchange.head.block, self._origin.block):
            self._go_on_alone()
            unchanged = not_modified(head)
            exchange.status, exchange.bytes_out = 304, 0
            self._drop(reader)
            call.attempt = None
            call.show(unchanged, b"", True, b"", now)
            return
        exchange.status = head.status
        first = self._body.since(reader.at)
        reader.at = self._body.end
        exchange.bytes_out = len(first)
        if self._is_whole:
            self._drop(reader)
            call.attempt = None
            call.show(head, first, True, self._trailers, now)
            return
        call.show(head, first, False, b"", now)
        if not self.keeps:
            self._trim()

    def _go_on_alone(self) -> None:
        """He has it already; it is fetched on for whoever asks next."""
        cache = self.cache
        if self.keeps and not self._is_background and not self._is_over and cache.background < MOST_BACKGROUND:
            self._is_background = True
            cache.background += 1

    def _drop(self, reader: Reader) -> None:
        reader.leave()
        if reader in self._readers:
            self._readers.remove(reader)
        if not self._readers and not self._is_over and not self._is_background:
            self._stop()
        self._uncount()

    def _may_share(self, reader: Reader) -> bool:
        return may_share(reader, self._origin.block, self._block, self._call.exchange)

    def _push_all(self) -> None:
        for reader in tuple(self._readers):
            if not reader.is_over and reader.has_head:
                self._push(reader)
        if not self.keeps:
            self._trim()

    def _push(self, reader: Reader) -> None:
        call, body = reader.call, self._body
        while not reader.is_paused and not reader.is_over and reader.at < body.end:
            piece = body.piece(reader.at)
            reader.at += 1
            call.exchange.bytes_out += len(piece)
            call.downstream.send_body(piece)
        if self._is_whole and not reader.is_over and reader.at == body.end:
            self._drop(reader)
            call.pass_end(self._trailers, self.cache.now())

    def _trim(self) -> None:
        """Of what is not kept, what everybody has had."""
        self._body.forget(min((reader.at for reader in self._readers), default=self._body.end))

    def _lead(self, reader: Reader) -> None:
        if reader is self._leader:
            credit(reader.call.exchange, self._call.exchange)

    def _note(self, reader: Reader) -> None:
        self._lead(reader)
        head = self._head
        status = b"; fwd-status=%d" % head.status if head is not None else b""
        why = b"stale" if self.stale is not None else b"miss"
        if reader is self._leader:
            kept = b"; stored" if self.keeps and head is not None else b""
            note(self.cache, reader.call.exchange, "miss", b"fwd=%b%b%b" % (why, status, kept))
        else:
            note(self.cache, reader.call.exchange, "collapsed", b"fwd=%b%b; collapsed" % (why, status))

    def _uncount(self) -> None:
        """What slow callers have yet to get counts as coming until they have had it: it is held for them."""
        if self._is_over and (not self._readers or not self._is_whole):
            self.cache.coming -= self._size
            self._size = 0

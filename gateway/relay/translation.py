"""An answer on its way to a caller who does not speak as the service does: the relay speaks as before."""

from gateway.exchange import Exchange
from gateway.relay.passing import PassingDownstream
from gateway.verdict import AnswerTranslation
from gateway.wire.interfaces import Downstream
from meshway.http1.message import ResponseHead


class TranslatedDownstream(PassingDownstream):
    """From the answer's head on. While the caller has none of it, the exchange has no status: what goes wrong then can
    still be told him."""

    __slots__ = ("_exchange", "_is_begun", "_last", "_translation")

    def __init__(self, downstream: Downstream, translation: AnswerTranslation, exchange: Exchange) -> None:
        super().__init__(downstream)
        self._translation, self._exchange = translation, exchange
        self._is_begun = False
        self._last = b""

    def open(self, first: bytes, ended: bool, trailers: bytes) -> None:
        """Before the head is sent, and the exchange told to be over."""
        is_withheld = self._translation.head is None
        self._last = self._translation.feed(first) if first else b""
        if ended:
            self._last += self._translation.end(trailers)
        self._exchange.bytes_out = len(self._last)
        head = self._translation.head
        if is_withheld:
            self._exchange.status = head.status if head is not None else 0

    def flush(self, trailers: bytes) -> None:
        """Before the exchange is told to be over."""
        self._last += self._translation.end(trailers)
        self._exchange.bytes_out += len(self._last)
        if not self._is_begun:
            assert self._translation.head is not None
            self._exchange.status = self._translation.head.status

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        made, is_cut = self._translation.head, self._translation.is_cut
        if made is not None:
            self._begin(made, ended=ended and not is_cut)
        if is_cut:
            self._next.abort()

    def send_body(self, data: bytes) -> None:
        """The relay has counted what came; what goes out is what counts."""
        made = self._translation.feed(data)
        self._exchange.bytes_out += len(made) - len(data)
        if self._is_begun:
            if made:
                self._next.send_body(made)
            return
        self._last += made
        if self._translation.head is not None:
            self._exchange.status = self._translation.head.status
            self._begin(self._translation.head, ended=False)

    def send_end(self, trailers: bytes) -> None:
        if not self._is_begun:
            assert self._translation.head is not None
            self._begin(self._translation.head, ended=True)
            return
        if self._last:
            self._next.send_body(self._last)
        if self._translation.is_cut:
            self._next.abort()
        else:
            self._next.send_end(b"")

    def _begin(self, head: ResponseHead, *, ended: bool) -> None:
        self._is_begun = True
        last, self._last = self._last, b""
        self._next.send_head(self._exchange, head, last, ended, b"")

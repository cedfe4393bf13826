"""An answer whose body is encoded on its way to the caller: the relay speaks as before, the caller gets other bytes."""

from typing import Final

from gateway.exchange import Exchange
from gateway.plan import Encode, EncodedBody
from gateway.relay.passing import PassingDownstream
from gateway.relay.translation import TranslatedDownstream
from gateway.verdict import AnswerTranslation
from gateway.wire.interfaces import Downstream
from meshway.http1.message import NO_BODY, ResponseHead


class EncodedDownstream(PassingDownstream):
    """From the answer's head on."""

    __slots__ = ("_body", "_exchange")

    def __init__(self, downstream: Downstream, body: EncodedBody, exchange: Exchange) -> None:
        super().__init__(downstream)
        self._body = body
        self._exchange = exchange

    def send_body(self, data: bytes) -> None:
        """The relay has counted what came; what goes out is what counts."""
        encoded = self._body.feed(data)
        self._exchange.bytes_out += len(encoded) - len(data)
        if encoded:
            self._next.send_body(encoded)

    def flush(self, trailers: bytes) -> None:
        """What the encoder has kept back, before the exchange is told to be over."""
        last = self._body.end()
        self._exchange.bytes_out += len(last)
        if last:
            self._next.send_body(last)


CHANGING: Final = (EncodedDownstream, TranslatedDownstream)


def begin(
    encode: Encode,
    exchange: Exchange,
    head: ResponseHead,
    first: bytes,
    ended: bool,
    trailers: bytes,
    downstream: Downstream,
) -> tuple[ResponseHead, bytes, Downstream]:
    """The head and first piece to send, and to whom; the same ones where the answer is not encoded."""
    encoding = encode(exchange, head)
    if encoding is None:
        return head, first, downstream
    if isinstance(encoding, AnswerTranslation):
        translated = TranslatedDownstream(downstream, encoding, exchange)
        translated.open(first, ended, trailers)
        return head, first, translated
    if head.body == NO_BODY:
        return encoding.head, first, downstream
    if ended and head.body > 0:
        whole, first = encoding.whole(first)
        exchange.bytes_out = len(first)
        return whole, first, downstream
    body = encoding.begin(head.body)
    first = body.feed(first)
    if ended:  # it may have trailers, which need chunks
        first += body.end()
    else:
        downstream = EncodedDownstream(downstream, body, exchange)
    exchange.bytes_out = len(first)
    return encoding.head, first, downstream

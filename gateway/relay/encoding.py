"""An answer whose body is encoded on its way to the caller: the relay speaks as before, the caller gets other bytes."""

from gateway.exchange import Exchange, Reply
from gateway.plan import Encode, EncodedBody
from gateway.wire.interfaces import Address, Downstream
from meshway.http1.message import NO_BODY, ResponseHead


class EncodedDownstream:
    """A `Downstream` before another one, from the answer's head on."""

    __slots__ = ("_body", "_exchange", "_next", "timer")

    def __init__(self, downstream: Downstream, body: EncodedBody, exchange: Exchange) -> None:
        self._next = downstream
        self._body = body
        self._exchange = exchange
        self.timer = downstream.timer

    def ends(self) -> tuple[Address | None, Address | None]:
        return self._next.ends()

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        self._next.send_head(exchange, head, first, ended, trailers)

    def send_body(self, data: bytes) -> None:
        """The relay has counted what came; what goes out is what counts."""
        encoded = self._body.feed(data)
        self._exchange.bytes_out += len(encoded) - len(data)
        if encoded:
            self._next.send_body(encoded)

    def flush(self) -> None:
        """What the encoder has kept back, before the exchange is told to be over."""
        last = self._body.end()
        self._exchange.bytes_out += len(last)
        if last:
            self._next.send_body(last)

    def send_end(self, trailers: bytes) -> None:
        self._next.send_end(trailers)

    def send_interim(self, head: ResponseHead) -> None:
        self._next.send_interim(head)

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        self._next.send_reply(exchange, reply)

    def send_upgrade(self, exchange: Exchange, head: ResponseHead, first: bytes) -> None:
        self._next.send_upgrade(exchange, head, first)

    def abort(self) -> None:
        self._next.abort()

    def pause_body(self) -> None:
        self._next.pause_body()

    def resume_body(self) -> None:
        self._next.resume_body()


def begin(
    encode: Encode, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, downstream: Downstream
) -> tuple[ResponseHead, bytes, Downstream]:
    """The head and first piece to send, and to whom; the same ones where the answer is not encoded."""
    body = encode(exchange, head)
    if body is None:
        return head, first, downstream
    if head.body == NO_BODY:
        return body.head, first, downstream
    if not ended:
        first = body.feed(first)
        exchange.bytes_out = len(first)
        return body.head, first, EncodedDownstream(downstream, body, exchange)
    first = body.feed(first) + body.end()
    exchange.bytes_out = len(first)
    if head.body < 0:  # it may have trailers, which need chunks
        return body.head, first, downstream
    return body.whole(len(first)), first, downstream

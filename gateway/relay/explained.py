"""An answer with a field that explains it: for a caller who asked, and who may ask."""

from collections.abc import Callable

from gateway.exchange import Exchange, Reply
from gateway.relay.passing import PassingDownstream
from gateway.wire.interfaces import Downstream
from meshway.http1.message import ResponseHead

# Of an exchange that is about to be answered: the field, `Name: value CRLF`.
Tell = Callable[[Exchange], bytes]


class ExplainedDownstream(PassingDownstream):
    """Adds to the answer's head."""

    __slots__ = ("_tell",)

    def __init__(self, downstream: Downstream, tell: Tell) -> None:
        super().__init__(downstream)
        self._tell = tell

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        exchange.added += self._tell(exchange)
        self._next.send_head(exchange, head, first, ended, trailers)

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        exchange.added += self._tell(exchange)
        self._next.send_reply(exchange, reply)

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        exchange.added += self._tell(exchange)
        self._next.send_upgrade(exchange, head)

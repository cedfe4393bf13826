"""An answer with a field that explains it: for a caller who asked, and who may ask."""

from collections.abc import Callable

from gateway.exchange import Exchange, Reply
from gateway.wire.interfaces import Address, Downstream
from meshway.http1.message import ResponseHead

# Of an exchange that is about to be answered: the field, `Name: value CRLF`.
Tell = Callable[[Exchange], bytes]


class ExplainedDownstream:
    """A `Downstream` before another one; it adds to the answer's head and passes all else on."""

    __slots__ = ("_next", "_tell", "timer")

    def __init__(self, downstream: Downstream, tell: Tell) -> None:
        self._next = downstream
        self._tell = tell
        self.timer = downstream.timer

    def ends(self) -> tuple[Address | None, Address | None]:
        return self._next.ends()

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        exchange.added += self._tell(exchange)
        self._next.send_head(exchange, head, first, ended, trailers)

    def send_body(self, data: bytes) -> None:
        self._next.send_body(data)

    def send_end(self, trailers: bytes) -> None:
        self._next.send_end(trailers)

    def send_interim(self, head: ResponseHead) -> None:
        self._next.send_interim(head)

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        exchange.added += self._tell(exchange)
        self._next.send_reply(exchange, reply)

    def send_upgrade(self, exchange: Exchange, head: ResponseHead, first: bytes) -> None:
        exchange.added += self._tell(exchange)
        self._next.send_upgrade(exchange, head, first)

    def abort(self) -> None:
        self._next.abort()

    def pause_body(self) -> None:
        self._next.pause_body()

    def resume_body(self) -> None:
        self._next.resume_body()

"""A `Downstream` before another one that passes everything on: for those that change, or look at, a part of it."""

from gateway.exchange import Exchange, Reply
from gateway.wire.interfaces import Address, Downstream
from meshway.http1.message import ResponseHead


class PassingDownstream:
    __slots__ = ("_next", "timer")

    def __init__(self, downstream: Downstream) -> None:
        self._next = downstream
        self.timer = downstream.timer

    def ends(self) -> tuple[Address | None, Address | None]:
        return self._next.ends()

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        self._next.send_head(exchange, head, first, ended, trailers)

    def send_body(self, data: bytes) -> None:
        self._next.send_body(data)

    def send_end(self, trailers: bytes) -> None:
        self._next.send_end(trailers)

    def send_interim(self, head: ResponseHead) -> None:
        self._next.send_interim(head)

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        self._next.send_reply(exchange, reply)

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        self._next.send_upgrade(exchange, head)

    def finish_upgraded(self) -> None:
        self._next.finish_upgraded()

    def abort(self) -> None:
        self._next.abort()

    def pause_body(self) -> None:
        self._next.pause_body()

    def resume_body(self) -> None:
        self._next.resume_body()

"""A stream that is a connection of bytes after a CONNECT (RFC 9113 §8.5, RFC 9114 §4.4): a transport to its carrier.

What HTTP/1.1 does with its whole connection is done with one stream: END_STREAM says that a half has ended, a reset
that the connection was cut, and the stream's windows stop who sends more than is taken.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from gateway.exchange import Exchange, Reply
from gateway.wire.multiplexed.messages import Fields
from gateway.wire.multiplexed.stream import Stream

if TYPE_CHECKING:
    from gateway.wire.listener_context import Connecting
    from gateway.wire.multiplexed.connection import MultiplexedConnection

_CONNECTED: Final[Fields] = ((b":status", b"200"),)


class ConnectStream(Stream):
    """caller: carries it. What asyncio says of transports and their protocols holds, `connection_made` apart."""

    __slots__ = ("_caller", "_has_ended_sending", "_is_end_due")

    def __init__(
        self, connection: "MultiplexedConnection", number: int, caller: "Connecting", *, is_open: bool
    ) -> None:
        super().__init__(connection, number, is_open=is_open)
        self._caller: Connecting | None = caller
        self._has_ended_sending = False
        self._is_end_due = False  # the caller has said all, and what it said last was not asked for yet

    # What comes from the caller.

    def on_body(self, data: bytes) -> None:
        if self._caller is not None and not self.is_answered:
            self._caller.data_received(data)
        self.took(len(data))

    def took(self, size: int) -> None:
        if self._wants_pause and self._caller is not None:
            self._unread += size
        else:
            self._connection.codec.consumed(self.number, size)

    def on_end(self, trailers: bytes) -> None:
        self.is_open = False
        if trailers:  # no frame but DATA is of a connection
            self.abort()
            return
        self._is_end_due = True
        self._tell_end()

    def _tell_end(self) -> None:
        caller = self._caller
        if self._is_end_due and not self._wants_pause and caller is not None:
            self._is_end_due = False
            if not caller.eof_received():
                self.close()

    def on_bad_body(self, answer: Reply) -> None:
        self.abort()

    def cut_off(self, flag: str, reason: str, detail: str) -> None:
        """Who carries it knows why."""
        caller = self._caller
        if caller is not None:
            caller.end_void()
            caller.kill()

    def on_gone(self) -> None:
        caller, self._caller = self._caller, None
        is_whole = self.is_answered or (self._has_ended_sending and not self.is_open)
        super().on_gone()
        if caller is not None:
            exc = None if is_whole else ConnectionResetError("the stream was reset")
            asyncio.get_running_loop().call_soon(caller.connection_lost, exc)

    # What becomes of the request.

    def accept(self) -> None:
        self._connection.codec.answer(self.number, _CONNECTED, ended=False)
        self._sent(ended=False)

    def turn_away(self, exchange: Exchange, answer: Reply) -> None:
        self._has_ended_sending = True
        self.send_reply(exchange, answer)

    # As a transport.

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """Those of all streams hold."""

    def is_closing(self) -> bool:
        return self.is_answered or self._caller is None

    def pause_reading(self) -> None:
        self.pause_body()

    def resume_reading(self) -> None:
        self.resume_body()
        if self._is_end_due:
            asyncio.get_running_loop().call_soon(self._tell_end)

    def write(self, data: bytes) -> None:
        if not self.is_closing() and not self._has_ended_sending:
            self._connection.codec.send(self.number, data, ended=False)
            self._sent(ended=False)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self.is_closing():
            self._end_sending()
            self._sent(ended=False)

    def close(self) -> None:
        if not self.is_closing():
            self._end_sending()
            self._sent(ended=True)

    def _end_sending(self) -> None:
        if not self._has_ended_sending:
            self._has_ended_sending = True
            self._connection.codec.send(self.number, b"", ended=True)

    def abort(self) -> None:
        if self._caller is not None:
            self.is_answered = True
            self._connection.codec.disconnect(self.number)
            self._connection.drop(self.number)
            self._connection.flush_soon()

    def _pause_service(self) -> None:
        if self._caller is not None:
            self._caller.pause_writing()

    def _resume_service(self) -> None:
        if self._caller is not None:
            self._caller.resume_writing()

    def _set_watch(self, wait_s: float) -> None:
        """Whoever carries it has the time: a connection may be as silent as its route lets it."""

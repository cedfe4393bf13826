"""What a caller's connection writes: answers of the service and of our own, head and first bytes in one write.

The other half of the connection, which reads requests and watches the time, is server.py.
"""

import asyncio
from abc import abstractmethod

from gateway.exchange import Exchange, Reply
from gateway.relay.call import Call
from gateway.relay.tunnel import Tunnel
from gateway.wire.half_close import close_half
from gateway.wire.heads import (
    CLOSE_FIELD,
    KEEP_ALIVE_FIELD,
    answer_head,
    interim_head,
    reply,
    upgrade_head,
)
from gateway.wire.listener_context import ListenerContext
from gateway.wire.reset import reset
from meshway.http1.framing import ChunkedReader, LengthReader, chunk, last_chunk
from meshway.http1.message import RequestHead, ResponseHead


class AnsweringSide(asyncio.Protocol):
    """The sending part of a `Downstream`. _call: the running one. _body: what of its request is still to be read.

    _closes: after the current answer. _is_chunked, _is_ended_by_close: its framing. timer: lent to the call.
    """

    __slots__ = (
        "_body", "_buffer", "_call", "_closes", "_is_chunked", "_is_ended_by_close", "_listener", "_transport",
        "_tunnel", "timer",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, listener: ListenerContext) -> None:
        self._listener = listener
        self._body: LengthReader | ChunkedReader | None = None
        self._buffer: bytes | bytearray = b""  # received and not read: part of a head, or requests sent ahead
        self._call: Call | None = None
        self._closes = False
        self._is_chunked = False
        self._is_ended_by_close = False
        self._tunnel: Tunnel | None = None
        self.timer = listener.relay.wheel.lend()

    @abstractmethod
    def _answered(self, now: float) -> None:
        """The answer is whole."""

    @abstractmethod
    def _linger(self) -> None:
        """Nothing more is read of what comes, and the connection ends soon."""

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        is_open = head.body < 0  # no length says where it ends
        self._is_chunked = is_open and exchange.head.minor > 0
        self._is_ended_by_close = is_open and exchange.head.minor == 0
        if self._body is not None and (not ended or not self._may_discard()):
            self._closes = True
        data = answer_head(exchange, head, self._listener.via_line, self._connection_field(exchange.head))
        if self._is_chunked:
            data += chunk(first)
            if ended:
                data += last_chunk(trailers)
        elif first:
            data += first
        self._transport.write(data)
        if ended:
            self._answered(exchange.first_byte)

    def _connection_field(self, head: RequestHead) -> bytes:
        if self._closes or self._listener.draining or not head.keep_alive or self._is_ended_by_close:
            self._closes = True
            return CLOSE_FIELD
        return b"" if head.minor else KEEP_ALIVE_FIELD

    def _may_discard(self) -> bool:
        """Whether reading the rest of a refused body is cheaper than a new connection."""
        body, call = self._body, self._call
        if call is None or call.exchange.head.expect_continue or not isinstance(body, LengthReader):
            return False
        return call.exchange.head.body - call.exchange.bytes_in <= self._listener.limits.discard

    def send_body(self, data: bytes) -> None:
        self._transport.write(chunk(data) if self._is_chunked else data)

    def send_end(self, trailers: bytes) -> None:
        if self._tunnel is not None:
            if self._transport.can_write_eof():
                close_half(self._transport)
            elif self._call is not None and not self._call.is_over:
                self._tunnel.on_end()  # he cannot be told by TLS without ending both ways
            if self._call is not None and self._call.is_over:
                self._call = None
                self._transport.close()
            return
        if self._is_chunked:
            self._transport.write(last_chunk(trailers))
        self._answered(self._listener.now())

    def send_interim(self, head: ResponseHead) -> None:
        call = self._call
        if call is not None and call.exchange.head.minor:
            self._transport.write(interim_head(head))

    def send_reply(self, exchange: Exchange, answer: Reply) -> None:
        if answer.close or (self._body is not None and not self._may_discard()):
            self._closes = True
        head, body = reply(exchange, answer, self._connection_field(exchange.head))
        exchange.bytes_out = len(body)
        self._transport.write(head + body)
        self._answered(self._listener.now())

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        call = self._call
        assert call is not None
        tunnel = self._tunnel = call.tunnel
        assert tunnel is not None
        self._transport.write(upgrade_head(exchange, head, self._listener.via_line))
        if self._buffer:
            data, self._buffer = bytes(self._buffer), b""
            tunnel.on_bytes(data)

    def finish_upgraded(self) -> None:
        self._call = self._tunnel = None
        self._linger()

    def abort(self) -> None:
        self._call = None
        if self._is_ended_by_close or self._tunnel is not None:
            self.reset()  # a plain close would look like the answer's end
        else:
            self._transport.close()

    def reset(self) -> None:
        """Ends the connection at once."""
        reset(self._transport)

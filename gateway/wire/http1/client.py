"""The service's side of HTTP/1.1: one connection to an endpoint, as strict about answers as about requests (RFC 9112).

An answer is passed on while it is clear where it ends. What breaks the rules ends the connection: before the answer's
head as 502 `upstream_protocol`, after it as a cut. Bytes that nobody asked for poison a connection, since they would
be the next request's answer (response queue poisoning).
"""

import asyncio
import enum
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from gateway.exchange import NEVER, Exchange
from gateway.upstream.cluster_settings import OpeningSettings
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import OutsideHosts
from gateway.wire.half_close import close_half
from gateway.wire.heads import request_head
from gateway.wire.interfaces import MAX_INTERIM, Timer
from gateway.wire.opening import Opener
from gateway.wire.upstream_tls import UpstreamContexts
from meshway.http1.field_lines import FieldLines, response_lines
from meshway.http1.framing import ChunkedReader, chunk, last_chunk
from meshway.http1.head import HeadError, HeadLimits, ResponseReader
from meshway.http1.message import CHUNKED, UNTIL_CLOSE, ResponseHead

if TYPE_CHECKING:
    from gateway.upstream.pool import Connector
    from gateway.wire.interfaces import AnyUpstreamEvents

HIGH_WATER: Final = 64 * 1024
LOW_WATER: Final = 16 * 1024
# Bytes of an answer that the system keeps for us; it takes as much again to manage them. Left to itself it takes
# megabytes of what a service sends to a caller who reads nothing, from a pool that all connections of the host share.
# Hosts outside are far: what they send is to fill a longer way.
MOST_UNREAD: Final = 64 * 1024
IDENTIFYING: Final = frozenset({b"server", b"x-powered-by"})


class _State(enum.IntEnum):
    IDLE = 0
    HEAD = 1
    LENGTH = 2
    CHUNKS = 3
    UNTIL_END = 4
    TUNNEL = 5
    CLOSED = 6


_IDLE: Final = _State.IDLE
_HEAD: Final = _State.HEAD


class ClientProtocol(asyncio.Protocol):
    """An `Upstream`. lines: known header lines, shared by the connections of a worker."""

    __slots__ = (
        "_buffer", "_chunks", "_events", "_interims", "_is_chunked", "_is_paused", "_is_request_sent", "_keep_alive",
        "_left", "_method", "_reader", "_state", "_transport", "_upgrade", "closes_at", "endpoint",
        "keep_alive_timeout_s", "requests", "shelf", "timer",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, endpoint: Endpoint, limits: HeadLimits, lines: FieldLines) -> None:
        self.endpoint = endpoint
        self.timer = Timer()
        self.requests = 0
        self.closes_at = NEVER
        self.shelf = endpoint.idle
        self.keep_alive_timeout_s: float | None = None
        self._reader = ResponseReader(limits, lines=lines)
        self._buffer: bytes | bytearray = b""
        self._chunks: ChunkedReader | None = None
        self._events: AnyUpstreamEvents | None = None
        self._interims = 0
        self._is_chunked = False
        self._is_paused = False
        self._is_request_sent = False
        self._keep_alive = True
        self._left = 0
        self._method = b""
        self._state = _IDLE
        self._upgrade = b""

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is one, but no subclass
        transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        sock = transport.get_extra_info("socket")
        if sock is not None and self.endpoint.outside is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_UNREAD)

    def eof_received(self) -> bool:
        if self._state is _State.TUNNEL and self._events is not None:
            self._events.on_end(b"")
            return self._events is not None
        self._lost(None)
        self._transport.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(exc)

    def _lost(self, exc: Exception | None) -> None:
        state = self._state
        if state is _State.CLOSED:
            return
        if state is _IDLE:
            self._leave_pool()
        elif state is _State.UNTIL_END and exc is None:
            self._keep_alive = False
            self._ended(b"")
        elif state is _HEAD and not self._buffer and not self._interims:
            if self.requests > 1:
                self._fail("stale_connection", "a kept connection was closed as the request was sent on it")
            else:
                self._fail("reset", "the upstream closed the connection without an answer")
        else:
            self._fail("reset", "the upstream closed the connection before its answer was whole")
        self._state = _State.CLOSED

    def _leave_pool(self) -> None:
        """Nothing may be sent on it any more."""
        if self in self.shelf:
            self.shelf.remove(self)

    @property
    def is_lost(self) -> bool:
        """Nothing that is sent on it arrives, and whoever asks would hear nothing or a reset."""
        return self._state is _State.CLOSED

    def is_reusable(self) -> bool:
        return self._state is _IDLE and self._is_request_sent and self._keep_alive and not self._transport.is_closing()

    @property
    def closes_halves(self) -> bool:
        return self._transport.can_write_eof()

    @property
    def unsent(self) -> int:
        return self._transport.get_write_buffer_size()

    def on_timer(self, now: float) -> None:
        """It was idle for as long as it may be."""
        self._leave_pool()
        self.close()

    def close(self) -> None:
        # What a tunnel or an idle connection still holds is flushed; the rest of a request given up is not.
        flushes = self._state is _State.TUNNEL or (self._state is _IDLE and self._is_request_sent)
        self._events = None
        self._state = _State.CLOSED
        self._buffer = b""
        self.timer.due = NEVER
        self.timer.owner = None
        if flushes:
            self._transport.close()
        else:
            self._transport.abort()

    # The request.

    def send_request(
        self, exchange: Exchange, events: "AnyUpstreamEvents", left_ms: int, first: bytes, ended: bool, trailers: bytes
    ) -> None:
        head = exchange.head
        self.requests += 1
        self._events = events
        self._state = _HEAD
        self._interims = 0
        self._is_request_sent = ended
        self._method = exchange.method
        self._upgrade = head.upgrade
        self._is_chunked = False
        data = request_head(exchange, left_ms)
        if head.body:
            if head.body == CHUNKED:
                self._is_chunked = True
                data += chunk(first)
                if ended:
                    data += last_chunk(trailers)
            else:
                data += first
        self._transport.write(data)

    def send_body(self, data: bytes) -> None:
        self._transport.write(chunk(data) if self._is_chunked else data)

    def send_end(self, trailers: bytes) -> None:
        self._is_request_sent = True
        if self._state is _State.TUNNEL:
            if self._transport.can_write_eof():
                close_half(self._transport)
        elif self._is_chunked:
            self._transport.write(last_chunk(trailers))

    def pause_writing(self) -> None:
        if self._events is not None:
            self._events.on_write_paused()

    def resume_writing(self) -> None:
        if self._events is not None:
            self._events.on_write_resumed()

    # The answer.

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state is _HEAD:
            self._read_head(data)
        elif state is _State.LENGTH:
            self._read_length(data)
        elif state is _State.CHUNKS:
            self._read_chunks(data)
        elif state in (_State.UNTIL_END, _State.TUNNEL):
            assert self._events is not None
            self._events.on_body(data)
        elif state is _IDLE:
            self._leave_pool()
            self.close()

    def _read_head(self, data: bytes) -> None:
        buffer: bytes | bytearray = data
        if self._buffer:
            assert isinstance(self._buffer, bytearray)
            self._buffer += data
            buffer = self._buffer
            self._buffer = b""
        start = 0
        while True:
            try:
                head = self._reader.read(buffer, start, self._method)
            except HeadError as error:
                self._fail("upstream_protocol", error.detail)
                return
            if head is None:
                self._buffer = bytearray(buffer[start:]) if start or buffer is data else buffer
                return
            start += head.head_size
            if head.status >= 200:
                break
            if not self._take_interim(head, buffer, start):
                return
            if start == len(buffer):
                return
        self._begin_answer(head, data[start:] if buffer is data else bytes(buffer[start:]))

    def _take_interim(self, head: ResponseHead, buffer: bytes | bytearray, start: int) -> bool:
        """True: the final head is still to come."""
        events = self._events
        assert events is not None
        self._interims += 1
        if head.status == 101:
            if not self._upgrade or head.upgrade != self._upgrade:
                self._fail("upstream_protocol", "the answer changes the protocol, which nobody asked for")
                return False
            self._buffer = b""
            self._state = _State.TUNNEL
            events.on_upgrade(head, bytes(buffer[start:]))
            return False
        if self._interims > MAX_INTERIM:
            self._fail("upstream_protocol", f"more than {MAX_INTERIM} interim answers")
            return False
        events.on_interim(head)
        return self._events is not None

    def _begin_answer(self, head: ResponseHead, rest: bytes) -> None:
        events = self._events
        assert events is not None
        self._keep_alive = head.keep_alive
        self.keep_alive_timeout_s = head.keep_alive_timeout_s
        body, size = head.body, len(rest)
        if body >= 0:  # a length, or none
            if size < body:
                self._left = body - size
                self._state = _State.LENGTH
                events.on_head(head, rest, False, b"")
                return
            if size > body:
                self._keep_alive = False
                rest = rest[:body]
            self._state = _IDLE
            self._events = None
            events.on_head(head, rest, True, b"")
        elif body == UNTIL_CLOSE:
            self._keep_alive = False
            self._state = _State.UNTIL_END
            events.on_head(head, rest, False, b"")
        else:
            self._begin_chunks(head, rest)

    def _begin_chunks(self, head: ResponseHead, rest: bytes) -> None:
        events = self._events
        assert events is not None
        chunks = self._chunks = ChunkedReader(is_answer=True)
        try:
            first = chunks.feed(rest) if rest else b""
        except HeadError as error:
            self._fail("upstream_protocol", error.detail)
            return
        if not chunks.ended:
            self._state = _State.CHUNKS
            events.on_head(head, first, False, b"")
            return
        if chunks.rest:
            self._keep_alive = False
        self._chunks = None
        self._state = _IDLE
        self._events = None
        events.on_head(head, first, True, chunks.trailers)

    def _read_length(self, data: bytes) -> None:
        events = self._events
        assert events is not None
        left = self._left - len(data)
        if left > 0:
            self._left = left
            events.on_body(data)
            return
        if left < 0:
            self._keep_alive = False
            data = data[: self._left]
        events.on_body(data)
        if self._events is not None:
            self._ended(b"")

    def _read_chunks(self, data: bytes) -> None:
        events, chunks = self._events, self._chunks
        assert events is not None
        assert chunks is not None
        try:
            body = chunks.feed(data)
        except HeadError as error:
            self._fail("upstream_protocol", error.detail)
            return
        if body:
            events.on_body(body)
        if chunks.ended and self._events is not None:
            if chunks.rest:
                self._keep_alive = False
            self._ended(chunks.trailers)

    def _ended(self, trailers: bytes) -> None:
        events, self._events = self._events, None
        self._state = _IDLE
        self._chunks = None
        self.resume_body()
        if events is not None:
            events.on_end(trailers)

    def _fail(self, kind: str, detail: str) -> None:
        events, self._events = self._events, None
        self._buffer = b""
        self._state = _State.CLOSED
        if not self._transport.is_closing():
            self._transport.abort()
        if events is not None:
            events.on_failure(kind, detail)

    def pause_body(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def resume_body(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()


def make_connector(
    loop: asyncio.AbstractEventLoop,
    *,
    contexts: UpstreamContexts | None = None,
    limits: HeadLimits | None = None,
    drop: frozenset[bytes] = IDENTIFYING,
    outside: OutsideHosts | None = None,
) -> "Connector":
    """What the pool opens connections with. contexts: of those by TLS, None: there are none. drop: fields of answers
    that callers do not get. outside: finds hosts."""
    opener = Opener(loop, contexts, outside)
    head_limits = limits or HeadLimits()
    lines = response_lines(drop=drop)

    def connect(
        endpoint: Endpoint,
        on_connected: Callable[[ClientProtocol], None],
        on_failed: Callable[[str], None],
        opening: OpeningSettings,
        preamble: bytes,
    ) -> Callable[[], None]:
        def made() -> ClientProtocol:
            return ClientProtocol(endpoint, head_limits, lines)

        def connected(upstream: ClientProtocol) -> None:
            if upstream.is_lost:
                on_failed("the upstream closed the connection before anything was asked")
            else:
                on_connected(upstream)

        return opener.open(endpoint, made, connected, on_failed, opening, preamble)

    return connect

"""The service's side of HTTP/2: one connection to an endpoint, which many requests share (RFC 9113).

By prior knowledge on plain TCP, by ALPN under TLS. What is written in one turn of the loop goes out in one piece.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from gateway.exchange import NEVER
from gateway.upstream.cluster_settings import OpeningSettings
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import OutsideHosts
from gateway.wire.http2.codec import (
    NO_ERROR,
    REFUSED_STREAM,
    Body,
    ClientCodec,
    Ended,
    Event,
    Fields,
    H2Codec,
    H2Fault,
    Head,
    Trailers,
)
from gateway.wire.interfaces import AnswerEvents, Timer
from gateway.wire.opening import Opener
from gateway.wire.proxy_protocol import proxy_head
from gateway.wire.upstream_tls import UpstreamContexts

if TYPE_CHECKING:
    from gateway.upstream.shared_pool import SharedConnector

ALPN: Final = ("h2",)
# Bytes that the other side does not take: answers to its own pings and settings are among them, so it must be bounded.
MOST_UNSENT: Final = 16 << 20


class H2ClientProtocol(asyncio.Protocol):
    """A `SharedUpstream`."""

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, codec: H2Codec) -> None:
        self.timer = Timer()
        self.closes_at = NEVER
        self.requests = self.heard = 0
        self._loop, self._codec = loop, codec
        self._streams: dict[int, AnswerEvents] = {}
        self._is_flush_due = False
        self._is_retired = self._is_over = False

    @property
    def running(self) -> int:
        return len(self._streams)

    def can_begin(self) -> bool:
        return not self._is_retired and not self._is_over and self._codec.can_begin

    def begin(self, fields: Fields, body: bytes, events: AnswerEvents) -> int:
        self.requests += 1
        self.timer.due = NEVER
        try:
            number = self._codec.begin(fields, body)
        except H2Fault as fault:
            events.on_lost("refused_stream", str(fault))
            return 0
        self._streams[number] = events
        self._flush_soon()
        return number

    def cancel(self, number: int) -> None:
        if self._streams.pop(number, None) is not None:
            self._codec.reset(number)
            self._flush_soon()
            self._end_if_done()

    def retire(self) -> None:
        self._is_retired = True
        self._end_if_done()

    def on_timer(self, now: float) -> None:
        """It was idle for as long as it may be."""
        self.retire()

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says nothing yet: who the other side is, is judged first. The preface goes with the first request."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose("reset", "the upstream closed the connection without an answer")

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        try:
            events = self._codec.receive(data)
        except H2Fault as fault:
            self._lose("upstream_protocol", str(fault))
            return
        for event in events:
            self._take(event)
        self._flush_soon()
        self._end_if_done()

    def _take(self, event: Event) -> None:
        if isinstance(event, Head):
            heard = self._streams.get(event.stream)
            if heard is not None:
                self._forget(event.stream, event.ended)
                heard.on_fields(event.fields, event.ended)
        elif isinstance(event, Body):
            heard = self._streams.get(event.stream)
            if heard is not None:
                self._forget(event.stream, event.ended)
                heard.on_data(event.data, event.ended)
        elif isinstance(event, Trailers):
            heard = self._streams.pop(event.stream, None)
            if heard is not None:
                heard.on_trailers(event.fields)
        elif isinstance(event, Ended):
            heard = self._streams.pop(event.stream, None)
            if heard is None:
                return
            if event.error == REFUSED_STREAM:
                heard.on_lost("refused_stream", "the upstream did not look at the request")
            elif event.error == NO_ERROR:
                heard.on_lost("upstream_protocol", "the upstream ended the stream without a whole answer")
            else:
                heard.on_lost("reset", f"the upstream reset the stream (error {event.error})")

    def _forget(self, stream: int, ended: bool) -> None:
        """Before the event is passed on: whoever hears the end sees how many are left."""
        if ended:
            del self._streams[stream]

    def _lose(self, kind: str, detail: str) -> None:
        """All that runs here."""
        if self._is_over:
            return
        self._is_over = True
        self.timer.due, self.timer.owner = NEVER, None
        if not self._transport.is_closing():
            self._transport.write(self._codec.take())
            self._transport.close()
        streams, self._streams = self._streams, {}
        for heard in streams.values():
            heard.on_lost(kind, detail)

    def _end_if_done(self) -> None:
        if self._streams or self._is_over or not (self._is_retired or not self._codec.can_begin):
            return
        self._codec.leave()
        self._lose("reset", "")

    # Writing.

    def _flush_soon(self) -> None:
        if not self._is_flush_due and not self._is_over:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if not self._is_over and (data := self._codec.take()):
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MOST_UNSENT:
                self._transport.abort()
                self._lose("reset", "the upstream takes nothing of what it is sent")


def make_shared_connector(
    loop: asyncio.AbstractEventLoop, *, contexts: UpstreamContexts | None = None, outside: OutsideHosts | None = None
) -> "SharedConnector":
    """As `make_connector` of HTTP/1.1."""
    opener = Opener(loop, contexts, outside, ALPN)

    def made() -> H2ClientProtocol:
        return H2ClientProtocol(loop, ClientCodec())

    def connect(
        endpoint: Endpoint,
        on_connected: Callable[[H2ClientProtocol], None],
        on_failed: Callable[[str], None],
        opening: OpeningSettings,
    ) -> Callable[[], None]:
        preamble = proxy_head(opening.proxy_protocol, None, None) if opening.proxy_protocol else b""
        return opener.open(endpoint, made, on_connected, on_failed, opening, preamble)

    return connect

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
from gateway.wire.http2.codec import CONNECTION_WINDOW, REFUSED_STREAM, ClientCodec, H2Fault
from gateway.wire.interfaces import Timer
from gateway.wire.multiplexed.messages import NO_ERROR, Allowing, Body, Ended, Event, Fields, Head, Interim, Trailers
from gateway.wire.opening import Opener
from gateway.wire.proxy_protocol import proxy_head
from gateway.wire.upstream_tls import UpstreamContexts

if TYPE_CHECKING:
    from gateway.upstream.shared_pool import SharedConnector
    from gateway.wire.interfaces import AnyAnswerEvents
    from gateway.wire.multiplexed.answer_reader import AnswerReader

ALPN: Final = ("h2",)
MOST_STREAMS: Final = 1_000  # at once, until the other side says how many it takes
LINGER_S: Final = 2.0  # for what was sent last to be taken, and answered
AT_ONCE: Final = 64 * 1024  # bytes that are made to be written; the rest stays where each request has its own share


class H2ClientProtocol(asyncio.Protocol):
    """A `SharedUpstream`."""

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, codec: ClientCodec) -> None:
        self.timer = Timer()
        self.closes_at = NEVER
        self.requests = self.heard = 0
        self.most_streams = MOST_STREAMS
        self._loop, self._codec = loop, codec
        self._streams: dict[int, AnyAnswerEvents] = {}
        self._writing: dict[int, AnyAnswerEvents] = {}  # those with something that waits to be written
        self._lingering: set[int] = set()  # finished by us, and not taken or answered yet
        self._is_flush_due = self._is_write_paused = False
        self._is_retired = self._is_over = False
        self.answers: AnswerReader | None = None
        self._is_settled = self._connects = False  # the other side's settings are known, and what they say of CONNECT
        self._asking: list[Callable[[bool], None]] = []

    @property
    def running(self) -> int:
        return len(self._streams)

    def can_begin(self) -> bool:
        return not self._is_retired and not self._is_over and self._codec.can_begin

    def begin(self, fields: Fields, body: bytes, events: "AnyAnswerEvents", *, ended: bool = True) -> int:
        self.requests += 1
        self.timer.due = NEVER
        try:
            number = self._codec.begin(fields, body, ended=ended)
        except H2Fault as fault:
            events.on_lost("refused_stream", str(fault))
            return 0
        self._streams[number] = events
        if body:
            self._writing[number] = events
        self._flush_soon()
        return number

    def send(self, number: int, data: bytes, *, ended: bool) -> None:
        events = self._streams.get(number)
        if events is not None:
            self._codec.send(number, data, ended=ended)
            self._writing[number] = events
            self._flush_soon()

    def trail(self, number: int, fields: Fields) -> None:
        self._codec.trail(number, fields)
        self._flush_soon()

    def unsent(self, number: int) -> int:
        return self._codec.queued(number)

    def consumed(self, number: int, size: int) -> None:
        self._codec.consumed(number, size)
        self._flush_soon()

    def ask_connects(self, answer: Callable[[bool], None]) -> None:
        self.timer.due = NEVER
        self._asking.append(answer)
        if self._is_settled:
            self._answer_asking()
        else:
            self._flush_soon()  # the preface, where nothing was asked yet

    def _answer_asking(self) -> None:
        asking, self._asking = self._asking, []
        for answer in asking:
            answer(self._connects)

    def finish(self, number: int) -> None:
        self._streams.pop(number, None)
        if self._is_over or not number:
            return
        self._codec.send(number, b"", ended=True)
        self._flush_soon()
        self._lingering.add(number)
        self._loop.call_later(LINGER_S, self._lingered, number)

    def _lingered(self, number: int) -> None:
        if number in self._lingering and not self._is_over:
            self._lingering.discard(number)
            self._codec.reset(number)
            self._flush_soon()
            self._end_if_done()

    def cancel(self, number: int, *, is_open: bool = False) -> None:
        if self._streams.pop(number, None) is not None or is_open:
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
        self._transport.set_write_buffer_limits(high=AT_ONCE, low=0)

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

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._flush_soon()

    def _take(self, event: Event) -> None:
        if isinstance(event, Head):
            heard = self._streams.get(event.stream)
            wants_more = heard is None or self._tell_head(heard, event)
            if event.first and wants_more:
                self._codec.consumed(event.stream, len(event.first))
        elif isinstance(event, Ended):
            self._lingering.discard(event.stream)
            heard = self._streams.pop(event.stream, None)
            if heard is None:
                return
            if event.error == REFUSED_STREAM:
                heard.on_lost("refused_stream", "the upstream did not look at the request")
            elif event.error == NO_ERROR and not heard.is_tunnel:
                heard.on_lost("upstream_protocol", "the upstream ended the stream without a whole answer")
            else:
                heard.on_lost("reset", f"the upstream reset the stream (error {event.error})")
        elif isinstance(event, Body):
            heard = self._streams.get(event.stream)
            if heard is not None:
                self._forget(event.stream, heard, event.ended)
                heard.on_data(event.data, event.ended)
            if heard is None or heard.takes:
                self._codec.consumed(event.stream, len(event.data))
        elif isinstance(event, Trailers):
            heard = self._streams.pop(event.stream, None)
            if heard is not None:
                heard.on_trailers(event.fields)
        elif isinstance(event, Interim):
            heard = self._streams.get(event.stream)
            if heard is not None:
                heard.on_interim(event.fields)
        elif isinstance(event, Allowing):
            if event.streams is not None:
                self.most_streams = max(event.streams, 1)  # for a moment it may want none
            self._is_settled, self._connects = True, self._connects or event.connects
            self._answer_asking()

    def _tell_head(self, heard: "AnyAnswerEvents", event: Head) -> bool:
        """Whether as much more of its body may come as came with it."""
        self._forget(event.stream, heard, event.ended)
        heard.on_fields(event.fields, event.ended, event.first, event.trailers)
        return heard.takes

    def _forget(self, stream: int, heard: "AnyAnswerEvents", ended: bool) -> None:
        """Before the event is passed on: whoever hears the end sees how many are left."""
        if ended and not heard.is_tunnel:
            del self._streams[stream]

    def _lose(self, kind: str, detail: str) -> None:
        """All that runs here."""
        if self._is_over:
            return
        self._is_over = True
        self.timer.due, self.timer.owner = NEVER, None
        if not self._transport.is_closing():
            if not self._is_write_paused:
                self._transport.write(self._codec.take(AT_ONCE))
            self._transport.close()
        streams, self._streams = self._streams, {}
        for heard in streams.values():
            heard.on_lost(kind, detail)
        self._answer_asking()

    def _end_if_done(self) -> None:
        if self._streams or self._lingering or self._is_over or not (self._is_retired or not self._codec.can_begin):
            return
        self._codec.leave()
        self._lose("reset", "")

    # Writing.

    def _flush_soon(self) -> None:
        if not self._is_flush_due and not self._is_over:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """As far as the socket takes it: what is made is its, what waits is each request's own."""
        self._is_flush_due = False
        transport, codec = self._transport, self._codec
        while not self._is_over and not self._is_write_paused and not transport.is_closing():
            data = codec.take(AT_ONCE)
            if not data:
                break
            transport.write(data)  # a write that fails closes it at once, and tells of it later
        if self._is_over or not self._writing:
            return
        writing, self._writing = self._writing, {}
        for number, events in writing.items():
            if number in self._streams:
                unsent = self._codec.queued(number)
                if unsent:
                    self._writing.setdefault(number, events)
                events.on_written(unsent)


def make_shared_connector(
    loop: asyncio.AbstractEventLoop,
    *,
    contexts: UpstreamContexts | None = None,
    outside: OutsideHosts | None = None,
    window: int = CONNECTION_WINDOW,
) -> "SharedConnector":
    """As `make_connector` of HTTP/1.1. window: of each connection, bytes."""
    opener = Opener(loop, contexts, outside, ALPN)

    def made() -> H2ClientProtocol:
        return H2ClientProtocol(loop, ClientCodec(window))

    def connect(
        endpoint: Endpoint,
        on_connected: Callable[[H2ClientProtocol], None],
        on_failed: Callable[[str], None],
        opening: OpeningSettings,
    ) -> Callable[[], None]:
        preamble = proxy_head(opening.proxy_protocol, None, None) if opening.proxy_protocol else b""
        return opener.open(endpoint, made, on_connected, on_failed, opening, preamble)

    return connect

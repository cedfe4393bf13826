"""The caller's side of HTTP/2 (RFC 9113): a connection of a listener, from bytes to many calls at once and back.

It takes over a connection that HTTP/1.1's server has welcomed, once the handshake (ALPN) or the caller's first bytes
(prior knowledge) say what is spoken. What is answered within one turn of the loop goes out in one write.
"""

import asyncio
import socket
import struct
from typing import Final

from gateway.exchange import NEVER, Exchange, Reply
from gateway.relay.call import Call
from gateway.relay.explained import ExplainedDownstream
from gateway.relay.forwarding import Forwarding, is_looping
from gateway.relay.trace import begin_trace
from gateway.wire.entrance import Entrance
from gateway.wire.http2.codec import CANCEL, Body, Ended, Event, Fields, H2Fault, Leaving, Request, Trailers
from gateway.wire.http2.fields import VERSION, request_text, trailer_block
from gateway.wire.http2.frame_guard import FrameGuard
from gateway.wire.http2.server_codec import RESETS, ServerCodec
from gateway.wire.http2.stream import Stream
from gateway.wire.interfaces import Address, Downstream, Timer
from gateway.wire.listener_context import ListenerContext, StreamLimits
from meshway.http1.head import HeadError, RequestReader
from meshway.http1.message import RequestHead, bare_head

AT_ONCE: Final = 64 * 1024  # bytes that are made to be written; the rest stays where each answer has its own share
LEAVING_S: Final = 1.0  # between the word that we leave and the last request that is taken
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Http2Connection(asyncio.Protocol):
    """listener: whose it is. codec: the protocol. pending: streams with something to write.

    forwarding, entrance: of the connection, as it was welcomed.
    """

    __slots__ = (
        "_entrance", "_fault_at", "_faults", "_forwarding", "_guard", "_is_flushing_soon", "_is_leaving", "_is_over",
        "_is_write_paused", "_leaves_at", "_loop", "_peer", "_reader", "_requests", "_streams", "_transport", "_unsent",
        "_watch", "codec", "listener", "pending", "streams_until",
    )  # fmt: skip

    def __init__(
        self,
        listener: ListenerContext,
        transport: asyncio.Transport,
        peer: str,
        forwarding: Forwarding,
        entrance: Entrance | None,
        limits: StreamLimits,
    ) -> None:
        self.listener = listener
        self.codec = ServerCodec(limits.streams, limits.stream_window, limits.connection_window)
        self.pending: list[Stream] = []
        self.streams_until = listener.now() + limits.max_age_s
        self._requests = limits.requests  # that are still taken
        self._loop = asyncio.get_running_loop()
        self._transport, self._peer = transport, peer
        self._forwarding, self._entrance = forwarding, entrance
        self._reader = RequestReader(listener.limits.head, lines=listener.lines)
        self._guard = FrameGuard()
        self._streams: dict[int, Stream] = {}
        self._faults, self._fault_at = float(RESETS[0]), listener.now()
        self._is_flushing_soon = self._is_leaving = self._is_over = self._is_write_paused = False
        self._leaves_at = NEVER  # once it is leaving: when it takes nothing more
        self._unsent = 0
        self._watch = Timer(self)

    def begin(self, data: bytes) -> None:
        """data: what came before it was known what is spoken."""
        listener = self.listener
        listener.relay.wheel.set(self._watch, self, listener.now() + listener.limits.idle_s)
        if listener.draining:
            self.announce_leave()
        self.data_received(data)

    # The connection.

    def ends(self) -> tuple[Address | None, Address | None]:
        if self._forwarding.ends is not None:
            return self._forwarding.ends
        peer, local = (self._transport.get_extra_info(name) for name in ("peername", "sockname"))
        return (peer[:2] if isinstance(peer, tuple) else None, local[:2] if isinstance(local, tuple) else None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.listener.leave(self, self._peer, is_limited=not self._forwarding.is_trusted)
        self._is_over = True
        self._give_up_streams()
        self._watch.due = NEVER
        self._watch.owner = None

    def eof_received(self) -> bool:
        """Who closes his half has left."""
        self._give_up_streams()
        return False

    @property
    def is_busy(self) -> bool:
        return bool(self._streams) or self._is_write_paused

    def start_drain(self) -> None:
        self.announce_leave()

    def close(self) -> None:
        """When idle."""
        self.codec.leave()
        self._flush()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self.pause_writing()

    def kill(self) -> None:
        self._transport.abort()

    def end_void(self) -> None:
        """Others are believed from now on."""
        if self._streams and self._entrance is not None and self._entrance.is_void:
            self.kill()

    def announce_leave(self) -> None:
        """What is on its way is still served, for a moment."""
        if not self._is_leaving and not self._is_over:
            self.codec.announce_leave()
            self.flush_soon()
            self._begin_to_leave()

    def _begin_to_leave(self) -> None:
        """Once: however often it is said, the moment is over then."""
        if not self._is_leaving:
            self._is_leaving = True
            self._leaves_at = self.listener.now() + LEAVING_S
            if not self._is_write_paused:  # else the watch is for that, and set anew behind it
                self.listener.relay.wheel.set(self._watch, self, self._leaves_at)

    def leave(self) -> None:
        """Nothing new is served; the connection ends with the last answer."""
        self._is_leaving = True
        self._leaves_at = NEVER
        if not self._is_write_paused:
            self._watch.due = NEVER
        self.codec.leave()
        self.flush_soon()

    def cut(self, number: int) -> None:
        """The caller takes nothing of an answer."""
        self.listener.cut += 1
        self.codec.reset(number, CANCEL)
        self.drop(number)
        self.flush_soon()

    def _give_up_streams(self) -> None:
        streams, self._streams = self._streams, {}
        self.pending = []
        for stream in streams.values():
            stream.on_gone()

    def _reset(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    # What the caller sends.

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if error := self._guard.fault(data):
            self.codec.leave(error)
            self._end_by_fault()
            return
        try:
            events = self.codec.receive(data)
        except H2Fault:
            self._end_by_fault()
            return
        for event in events:
            self._take(event)
        self._flush()

    def _take(self, event: Event) -> None:
        if self._is_over:
            return
        if isinstance(event, Request):
            self._on_request(event.stream, event.fields, ended=event.ended)
        elif isinstance(event, Body):
            stream = self._streams.get(event.stream)
            if stream is None:
                self.codec.consumed(event.stream, len(event.data))
                return
            stream.on_body(event.data)
            if event.ended:
                stream.on_end(b"")
        elif isinstance(event, Trailers):
            self._on_trailers(event)
        elif isinstance(event, Ended):
            self._on_ended(event)
        elif isinstance(event, Leaving):
            self._begin_to_leave()  # what he still asks of the connection itself is answered for a moment

    def _on_request(self, number: int, fields: Fields, *, ended: bool) -> None:
        stream = self._streams[number] = Stream(self, number, is_open=not ended)
        self._requests -= 1
        if self._requests <= 0 or self.listener.now() >= self.streams_until:
            self.announce_leave()
        try:
            head = self._reader.read(request_text(fields, ended=ended))
        except HeadError as error:
            self._refuse(stream, Reply(error.status, error.code, "DPE", error.detail))
            return
        assert head is not None  # it is whole
        head.minor = VERSION  # this reader's heads are of this connection alone
        self._begin(stream, head, ended=ended)

    def _begin(self, stream: Stream, head: RequestHead, *, ended: bool) -> None:
        listener = self.listener
        peer, forwarded = self._forwarding.fields(head)
        exchange = Exchange(head, listener.face, peer, listener.now(), listener.scheme, forwarded, listener.name)
        refusal = self._entrance.refusal(exchange) if self._entrance is not None else None
        asks = listener.explain is not None and b"meshway-explain" in head.named
        call = stream.call = Call(listener.relay, exchange, self._explained(exchange, stream) if asks else stream)
        if refusal is not None:
            call.refuse(refusal)
        elif b"via" in head.named and is_looping(head, listener.via_id):
            call.refuse(Reply(508, "loop_detected", "", "the request came through this gateway too often"))
        elif head.method == b"CONNECT":
            call.refuse(Reply(405, "method_not_allowed", "NR", "CONNECT is not offered here", fields=b"Allow: GET\r\n"))
        else:
            call.start(b"", ended, b"")
            if not ended and stream.call is call:
                plan, limits = exchange.plan, listener.limits
                stream.watch_body(limits.body_rate if plan is None else max(limits.body_rate, plan.body_rate))

    def _explained(self, exchange: Exchange, stream: Stream) -> Downstream:
        explain = self.listener.explain
        tell = explain(exchange) if explain is not None else None
        return stream if tell is None else ExplainedDownstream(stream, tell)

    def _refuse(self, stream: Stream, answer: Reply) -> None:
        """What cannot be read as a request is answered and logged."""
        listener, read = self.listener, bare_head()
        read.minor = VERSION
        peer, forwarded = self._forwarding.fields(read)
        exchange = Exchange(read, listener.face, peer, listener.now(), listener.scheme, forwarded, listener.name)
        begin_trace(exchange)
        exchange.take_reply(answer)
        stream.send_reply(exchange, answer)
        listener.relay.finish(exchange, listener.now())

    def _on_trailers(self, event: Trailers) -> None:
        stream = self._streams.get(event.stream)
        if stream is None:
            return
        try:
            trailers = trailer_block(event.fields)
        except HeadError as error:
            stream.on_bad_body(Reply(error.status, error.code, "DPE", error.detail, policy=self.listener.title))
            return
        stream.on_end(trailers)

    def _on_ended(self, event: Ended) -> None:
        stream = self._streams.get(event.stream)
        if event.error and stream is not None and not stream.is_answered and not self._may_fault():
            self.codec.refuse()
            self._end_by_fault()
            return
        self.drop(event.stream)

    def _may_fault(self) -> bool:
        """Who begins requests only to take them back is ended after a few hundred (CVE-2023-44487)."""
        now, (most, per_s) = self.listener.now(), RESETS
        self._faults = min(float(most), self._faults + (now - self._fault_at) * per_s) - 1.0
        self._fault_at = now
        return self._faults >= 0.0

    def drop(self, number: int) -> None:
        """The stream is over."""
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        stream.on_gone()
        if not self._streams and not self._is_over:
            if self._is_leaving:
                self.flush_soon()
            listener = self.listener
            if not self._is_write_paused and not self._is_leaving:
                listener.relay.wheel.set(self._watch, self, listener.now() + listener.limits.idle_s)

    def _end_by_fault(self) -> None:
        """The last word goes out, if there is room for it."""
        self._is_over = True
        if not self._is_write_paused:
            self._transport.write(self.codec.take(AT_ONCE))
        self._give_up_streams()
        self._transport.close()
        self.listener.relay.wheel.set(self._watch, self, self.listener.now() + self.listener.limits.linger_s)

    # What goes to the caller.

    def flush_soon(self) -> None:
        """At the end of the loop's turn: what others answer in it goes along."""
        if not self._is_flushing_soon:
            self._is_flushing_soon = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing_soon = False
        if self._is_over or self._transport.is_closing():
            return
        transport, codec = self._transport, self.codec
        while not self._is_write_paused:
            data = codec.take(AT_ONCE)
            if data:
                transport.write(data)
            elif not self._settle():
                break
        try:
            for event in codec.heard():
                self._take(event)
        except H2Fault:
            self._end_by_fault()
            return
        # Not while requests may be on their way that were sent before our word came.
        if self._is_leaving and self._leaves_at == NEVER and not self._streams and not self._is_write_paused:
            transport.close()

    def _settle(self) -> bool:
        """Looks at answers of which everything was written that the caller takes. Whether there is more to write."""
        pending, self.pending = self.pending, []
        waiting = [stream for stream in pending if stream.is_pending and stream.settle()]
        has_more = len(waiting) < len(pending) or bool(self.pending)
        self.pending += waiting
        return has_more

    # Backpressure.

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self._unsent = self._transport.get_write_buffer_size()
        self.listener.relay.wheel.set(self._watch, self, self.listener.now() + self.listener.limits.write_stall_s)
        if not self._transport.is_closing():
            self._transport.pause_reading()  # who takes no answers asks nothing more

    def resume_writing(self) -> None:
        self._is_write_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
        due = self._leaves_at if self._is_leaving else self.listener.now() + self.listener.limits.idle_s
        self.listener.relay.wheel.set(self._watch, self, due)
        self._flush()

    # Time.

    def on_timer(self, now: float) -> None:
        """Of the connection's own waits; each answer that waits has one of its own."""
        limits = self.listener.limits
        if self._is_over:
            self._transport.abort()
            return
        if self._is_write_paused:
            unsent = self._transport.get_write_buffer_size()
            if unsent >= self._unsent:
                self.listener.cut += 1
                self._reset()
                return
            self._unsent = unsent
            self.listener.relay.wheel.set(self._watch, self, now + limits.write_stall_s)
        elif self._is_leaving:
            self.leave()
        elif self._streams:
            self.listener.relay.wheel.set(self._watch, self, now + limits.idle_s)
        else:
            self.close()

"""The caller's side of HTTP/2 (RFC 9113): a connection of a listener, from bytes to many calls at once and back.

It takes over a connection that HTTP/1.1's server has welcomed, once the handshake (ALPN) or the caller's first bytes
(prior knowledge) say what is spoken. What is answered within one turn of the loop goes out in one write.
"""

import asyncio
from typing import ClassVar, Final

from gateway.exchange import NEVER
from gateway.relay.forwarding import Forwarding
from gateway.wire.connection_limits import StreamLimits
from gateway.wire.entrance import Entrance
from gateway.wire.http2.codec import FLOW_CONTROL_ERROR, H2Fault
from gateway.wire.http2.frame_guard import MOST_WINDOW, WINDOW_UPDATE_SIZE, FrameGuard
from gateway.wire.http2.questions import Questions
from gateway.wire.http2.server_codec import ServerCodec
from gateway.wire.interfaces import Address
from gateway.wire.listener_context import ListenerContext
from gateway.wire.multiplexed.connection import MultiplexedConnection
from gateway.wire.multiplexed.slow_head import SlowHead
from gateway.wire.multiplexed.stream import LOW_WATER
from gateway.wire.reset import reset

AT_ONCE: Final = 64 * 1024  # bytes that are made to be written; the rest stays where each answer has its own share
MOST_HELD: Final = 64 * 1024  # bytes of all answers of a connection that wait for the caller


class Http2Connection(MultiplexedConnection):
    """As its listener's context makes it (`Multiplexing`)."""

    __slots__ = ("_codec", "_guard", "_questions", "_slow_head", "_transport", "_unsent")

    VERSION: ClassVar[int] = 2

    def __init__(
        self,
        listener: ListenerContext,
        transport: asyncio.Transport,
        peer: str,
        forwarding: Forwarding,
        entrance: Entrance | None,
        limits: StreamLimits,
    ) -> None:
        codec = self._codec = ServerCodec(limits.streams, limits.stream_window, limits.connection_window)
        super().__init__(listener, codec, peer, forwarding, entrance, limits)
        self._transport = transport
        self._guard = FrameGuard()
        self._questions = Questions(listener.now())
        self._slow_head: SlowHead | None = None
        self._unsent = 0

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
        if self._slow_head is not None:
            self._slow_head.rest()
        self._is_gone()

    def eof_received(self) -> bool:
        """Who closes his half has left."""
        self._give_up_streams()
        return False

    def close(self) -> None:
        """When idle."""
        self._codec.leave()
        self._flush()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self.pause_writing()

    def kill(self) -> None:
        self._cut_off(*self.listener.cut_off)
        self._transport.abort()

    def _reset(self) -> None:
        reset(self._transport)

    # What the caller sends.

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if error := self._guard.fault(data):
            self._codec.leave(error)
            self._end_by_fault()
            return
        if (asked := self._guard.asked) and not self._questions.may_ask(asked, self.listener.now()):
            self._codec.refuse()
            self._end_by_fault()
            return
        overflows: list[int] = []
        if self._guard.wide:
            data, overflows = self._without_overflows(data)
        try:
            events = self._codec.receive(data)
        except H2Fault:
            self._end_by_fault()
            return
        for event in events:
            self._take(event)
        for number in overflows:
            self._codec.reset(number, FLOW_CONTROL_ERROR)
            if not self._may_fault():
                self._codec.refuse()
                self._end_by_fault()
                return
        if self._guard.is_in_head:
            self._watch_head()
        elif self._slow_head is not None:
            self._slow_head.rest()
        self._flush()

    def _without_overflows(self, data: bytes) -> tuple[bytes, list[int]]:
        """data without what opens windows too far (RFC 9113 §6.9.1), and the streams that end by it."""
        windows: dict[int, int] = {}
        kept: list[bytes] = []
        overflows: list[int] = []
        begin = 0
        for number, step, at in self._guard.wide:
            window = windows.get(number, -MOST_WINDOW - 1)
            if window < -MOST_WINDOW:
                window = self._codec.window(number)
            if window + step > MOST_WINDOW:
                kept.append(data[begin:at])
                begin = at + WINDOW_UPDATE_SIZE
                overflows.append(number)
            else:
                window += step
            windows[number] = window
        kept.append(data[begin:])
        return b"".join(kept), overflows

    def _watch_head(self) -> None:
        listener = self.listener
        if self._slow_head is None:
            self._slow_head = SlowHead(listener.relay.wheel, self._end_slow_head)
        self._slow_head.watch(listener.now() + listener.limits.head_s)

    def _end_slow_head(self) -> None:
        if not self._is_over:
            self._codec.refuse()
            self._end_by_fault()

    def _end_by_fault(self) -> None:
        """The last word goes out, if there is room for it."""
        self._is_over = True
        if not self._is_write_paused and not self._transport.is_closing():
            self._transport.write(self._codec.take(AT_ONCE))
        self._give_up_streams()
        self._transport.close()
        self.listener.relay.wheel.set(self._watch, self, self.listener.now() + self.listener.limits.linger_s)

    # What goes to the caller.

    def _hold_or_let_go(self) -> None:
        """What nobody took for too long is given up, and makes room: then others may try."""
        is_stopped = self._is_write_paused or self._codec.is_stopped
        if self.is_holding:
            if not is_stopped or self._codec.held <= LOW_WATER:
                self._let_go()
        elif is_stopped and self._codec.held > MOST_HELD:
            self.hold_back()

    def holds_much(self) -> bool:
        held = self._codec.held
        if held <= MOST_HELD:
            return False
        # What the socket takes at once does not wait: of many streams that flow none is held back.
        return held > 2 * MOST_HELD or self._is_write_paused or self._transport.get_write_buffer_size() > 0

    def _flush(self) -> None:
        self._is_flushing_soon = False
        if self._is_over or self._transport.is_closing():
            return
        transport, codec = self._transport, self._codec
        while not self._is_write_paused:
            data = codec.take(AT_ONCE)
            if data:
                self._questions.sent(len(data))
                transport.write(data)
                if transport.is_closing():  # the write failed, which is told later
                    return
            elif not self.pending or not self._settle():
                break
        try:
            for event in codec.heard():
                self._take(event)
        except H2Fault:
            self._end_by_fault()
            return
        self._hold_or_let_go()
        # Not while requests may be on their way that were sent before our word came.
        if self._is_leaving and self._leaves_at == NEVER and not self._streams and not self._is_write_paused:
            transport.close()

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

"""The caller's side of HTTP/3 (RFC 9114): a connection of a listener, from events of QUIC to many calls at once."""

from typing import ClassVar, Final

from aioquic.quic.events import QuicEvent

from gateway.exchange import NEVER
from gateway.relay.forwarding import Forwarding
from gateway.wire.connection_limits import StreamLimits
from gateway.wire.entrance import Entrance
from gateway.wire.http3 import frames
from gateway.wire.http3.codec import H3Codec
from gateway.wire.http3.frames import H3Fault
from gateway.wire.http3.link import Link
from gateway.wire.interfaces import Address, Timer
from gateway.wire.listener_context import ListenerContext
from gateway.wire.multiplexed.connection import MultiplexedConnection
from gateway.wire.multiplexed.messages import Ended
from gateway.wire.multiplexed.slow_head import SlowHead
from gateway.wire.multiplexed.stream import HIGH_WATER, LOW_WATER

MOST_HELD: Final = 512 * 1024  # bytes of all answers of a connection that wait for the caller
_FEW: Final = MOST_HELD // HIGH_WATER  # answers, which hold no more together
# Of streams on which no request came to be.
_NONE_BEGUN: Final = frozenset({frames.MESSAGE_ERROR, frames.REQUEST_INCOMPLETE})


class _Pulse:
    """Looks at a connection on which a caller waits, and says nothing, before he or we take the other for gone."""

    __slots__ = ("_connection", "timer")

    def __init__(self, connection: "Http3Connection") -> None:
        self._connection = connection
        self.timer = Timer(self)

    def on_timer(self, now: float) -> None:
        self._connection.ask_after(now)


class Http3Connection(MultiplexedConnection):
    """local: our end, None where the system does not say it."""

    __slots__ = ("_codec", "_link", "_local", "_pulse", "_slow_head", "_unbegun")

    VERSION: ClassVar[int] = 3

    def __init__(
        self,
        listener: ListenerContext,
        link: Link,
        local: Address | None,
        forwarding: Forwarding,
        entrance: Entrance | None,
        limits: StreamLimits,
    ) -> None:
        codec = self._codec = H3Codec(link.quic)
        super().__init__(listener, codec, link.peer[0], forwarding, entrance, limits)
        self._link, self._local = link, local
        self._pulse = _Pulse(self)
        self._slow_head: SlowHead | None = None
        self._unbegun = -1  # the request whose head is waited for

    def begin(self) -> None:
        listener = self.listener
        listener.relay.wheel.set(self._watch, self, listener.now() + listener.limits.idle_s)
        self._set_pulse(listener.now())
        if listener.draining:
            self.announce_leave()

    # The connection.

    def ends(self) -> tuple[Address | None, Address | None]:
        return self._link.peer[:2], self._local

    def lost(self) -> None:
        if not self._is_over:
            self._is_gone()

    def _is_gone(self) -> None:
        super()._is_gone()
        self._pulse.timer.due = NEVER
        self._pulse.timer.owner = None
        if self._slow_head is not None:
            self._slow_head.rest()

    def close(self) -> None:
        """When idle."""
        self._codec.leave()
        self._end(frames.NO_ERROR)

    def kill(self) -> None:
        self._cut_off(*self.listener.cut_off)
        self._end(frames.INTERNAL_ERROR)

    def _end(self, error: int, why: str = "") -> None:
        if not self._is_over:
            self._is_gone()
            self._link.end(error, why)

    def _end_by_fault(self) -> None:
        self._end(frames.EXCESSIVE_LOAD)

    # What the caller sends.

    def heard(self, event: QuicEvent) -> None:
        if self._is_over:
            return
        try:
            for message in self._codec.receive(event):
                self._take(message)
        except H3Fault as fault:
            self._end(fault.error, str(fault))
            return
        while self._codec.wasted and not self._is_over:
            self._codec.wasted -= 1
            if not self._may_fault():
                self._codec.refuse()
                self._end_by_fault()
        if self._codec.unbegun != self._unbegun:
            self._watch_head()

    def _watch_head(self) -> None:
        """Of the oldest; the next one has its time from when this is whole."""
        if self._slow_head is None:
            self._slow_head = SlowHead(self.listener.relay.wheel, self._end_slow_head)
        self._unbegun = self._codec.unbegun
        self._slow_head.rest()
        if self._unbegun >= 0 and not self._is_over:
            self._slow_head.watch(self.listener.now() + self.listener.limits.head_s)

    def _end_slow_head(self) -> None:
        self._end(frames.EXCESSIVE_LOAD, "a head that was not whole in time")

    def _on_ended(self, event: Ended) -> None:
        if event.error in _NONE_BEGUN and event.stream not in self._streams and not self._may_fault():
            self._codec.refuse()
            self._end_by_fault()
            return
        super()._on_ended(event)

    # What goes to the caller.

    def holds_much(self) -> bool:
        """One answer alone has its own measure."""
        return len(self.pending) > _FEW and self._codec.held > MOST_HELD

    def _flush(self) -> None:
        self._is_flushing_soon = False
        if self._is_over:
            return
        self._link.transmit()
        while self._settle():
            self._link.transmit()
        for event in self._codec.heard():
            self._take(event)
        if self.is_holding and self._codec.held <= LOW_WATER:
            self._let_go()
        # Not while requests may be on their way that were sent before our word came.
        if self._is_leaving and self._leaves_at == NEVER and not self._streams and not self._is_over:
            self.close()

    # Time.

    def on_timer(self, now: float) -> None:
        """Of the connection's own waits; each answer that waits has one of its own."""
        if self._is_leaving:
            self.leave()
        elif self._streams:
            self.listener.relay.wheel.set(self._watch, self, now + self.listener.limits.idle_s)
        else:
            self.close()

    def ask_after(self, now: float) -> None:
        """A caller who waits for an answer says nothing (RFC 9000 §10.1.2)."""
        if self._streams:
            self._link.quic.send_ping(0)
            self.flush_soon()
        self._set_pulse(now)

    def _set_pulse(self, now: float) -> None:
        self.listener.relay.wheel.set(self._pulse.timer, self._pulse, now + self._link.quic.silent_s / 3.0)

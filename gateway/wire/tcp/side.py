"""One of two connections of which each is given what the other brings, in the loop's callbacks and without a copy.

What one side does not take stops the reading of the other, so no more is held than the buffers have room for.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from gateway.exchange import NEVER
from gateway.relay.deadline import TimerWheel
from gateway.wire.half_close import close_half
from gateway.wire.interfaces import Timer
from gateway.wire.reset import reset

# Why nothing is read now; all must be over.
OPENING, FULL, AHEAD = 1, 2, 4  # the other side is not there yet; it does not take; more than its share was read
HIGH_WATER: Final = 64 * 1024
LOW_WATER: Final = 16 * 1024
BURST_S: Final = 0.05  # what may be read ahead of the rate


class Carrier(Protocol):
    """Whoever has both sides."""

    def moved(self) -> None:
        """A byte came."""

    def ended(self, side: "Side") -> None:
        """It will bring no more; more may be sent to it."""

    def lost(self, side: "Side", exc: Exception | None) -> None:
        """It is gone. exc: it was cut."""


class _Nobody:
    """Carries what is over: without the circle both sides are freed at once."""

    def moved(self) -> None:
        pass

    def ended(self, side: "Side") -> None:
        pass

    def lost(self, side: "Side", exc: Exception | None) -> None:
        pass


_NOBODY: Final = _Nobody()


class Pace:
    """Holds a side to so many bytes a second."""

    __slots__ = ("_even_at", "_now", "_rate", "_side", "_timer", "_wheel")

    def __init__(self, side: "Side", bytes_per_s: int, wheel: TimerWheel, now: Callable[[], float]) -> None:
        self._side, self._rate, self._wheel, self._now = side, bytes_per_s, wheel, now
        self._even_at = 0.0  # when what was read is no more than the rate allows
        self._timer = Timer(self)

    def count(self, size: int) -> None:
        now = self._now()
        self._even_at = max(self._even_at, now) + size / self._rate
        if self._even_at > now + BURST_S:
            self._side.hold(AHEAD)
            self._wheel.set(self._timer, self, self._even_at)

    def on_timer(self, now: float) -> None:
        self._side.go_on(AHEAD)

    def end(self) -> None:
        self._timer.due, self._timer.owner = NEVER, None


class Side(asyncio.Protocol):
    """size: bytes that came. other: None until there is one. has_ended: it brings no more. is_lost: it is gone."""

    __slots__ = (
        "_carrier", "_early", "_holds", "_is_reading", "has_ended", "is_lost", "other", "pace", "size", "transport"
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._holds = OPENING
        self._early: list[bytes] = []  # came before the other side was there
        self._is_reading = True
        self.other: Side | None = None
        self.pace: Pace | None = None
        self.size = 0
        self.has_ended = self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(transport)

    def attach(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, but no subclass
        self.transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        self._settle()

    def data_received(self, data: bytes) -> None:
        self.size += len(data)
        if self._holds & OPENING:  # was on its way when reading was to stop
            self._early.append(data)
            self._settle()
            return
        self._carrier.moved()
        if self.other is not None:
            self.other.transport.write(data)
        if self.pace is not None:
            self.pace.count(len(data))

    def eof_received(self) -> bool:
        """Whether the other way stays open: by TLS none does."""
        self.has_ended = True
        self._carrier.ended(self)
        return self.transport.can_write_eof() and not self.transport.is_closing()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.hold(FULL)

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.go_on(FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            if self.pace is not None:
                self.pace.end()
            self._carrier.lost(self, exc)

    def join(self, other: "Side") -> None:
        """From now on what comes is the other's."""
        self.other = other
        early, self._early = self._early, []
        for data in early:
            other.transport.write(data)
        self.go_on(OPENING)

    def put_back(self, data: bytes) -> None:
        """What was read before there was another side."""
        self._early.append(data)
        self.hold(OPENING)

    def hold(self, why: int) -> None:
        self._holds |= why
        self._settle()

    def go_on(self, why: int) -> None:
        self._holds &= ~why
        self._settle()

    def _settle(self) -> None:
        """Reads where nothing stands in the way."""
        transport = self.transport
        if self.is_lost or transport.is_closing():
            return
        if self._holds:
            if self._is_reading or self._early:
                self._is_reading = False
                transport.pause_reading()
        elif not self._is_reading:
            self._is_reading = True
            transport.resume_reading()

    def part(self) -> None:
        """It is over for its carrier, and for the other side."""
        self._carrier, self.other, self.pace = _NOBODY, None, None

    def close(self) -> None:
        """When what is to be sent was taken."""
        if not self.is_lost:
            self.transport.close()

    def abort(self) -> None:
        """It was cut, and its other end is to know that."""
        if not self.is_lost:
            reset(self.transport)

    def end_sending(self) -> bool:
        """Tells it that no more comes. False: that cannot be told by TLS without ending both ways."""
        if self.is_lost or self.transport.is_closing():
            return True
        if not self.transport.can_write_eof():
            return False
        close_half(self.transport)
        return True

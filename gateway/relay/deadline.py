"""One timer wheel a worker: setting a timer is an assignment, and nothing is cancelled.

The wheel looks at a timer when its slot comes by: a timer that was set later meanwhile is filed again, one that was
unset is dropped. So a connection that sets its timer thousands of times a second is filed about once per timeout.
Nothing is filed farther off than a minute, or timers of connections that are over would lie there for the hour that
these may be idle: 250 bytes each, 43 MiB of fifty connections a second.
After Varghese and Lauck 1987, with laziness instead of cancellation. Who sets timers on the way of every call does what
`set` does by hand, since the call would cost more than the assignment.
"""

import logging
from typing import Final

from gateway.exchange import NEVER
from gateway.wire.interfaces import Timer, TimerOwner

TICK_S: Final = 0.01  # a timer is late by at most one tick; the shortest wait we have is a retry's backoff, about 25 ms
FARTHEST_S: Final = 60.0  # the wheel looks at what is due later so often until then
MOST_SPARE: Final = 4_096  # timers that are kept for whoever needs one next

_log = logging.getLogger("gateway.relay")


class TimerWheel:
    """now: monotonic seconds at the start. The worker calls `advance` every TICK_S."""

    __slots__ = ("_slots", "_spare", "_tick")

    def __init__(self, now: float) -> None:
        self._tick = int(now / TICK_S)
        self._slots: dict[int, list[Timer]] = {}
        self._spare: list[Timer] = []

    def lend(self) -> Timer:
        """For what ends long before the wheel would look at it, as a call on a connection of many does: a new one each
        time would lie in the wheel until then."""
        spare = self._spare
        return spare.pop() if spare else Timer()

    def take_back(self, timer: Timer) -> None:
        """One that was lent, once: nobody sets it any more."""
        timer.due = NEVER
        timer.owner = None
        if len(self._spare) < MOST_SPARE:
            self._spare.append(timer)

    def set(self, timer: Timer, owner: TimerOwner, due: float) -> None:
        """due: monotonic seconds; replaces what was set before. `inf` unsets."""
        timer.owner = owner
        timer.due = due
        if due < timer.filed:
            self.file(timer, due)

    def file(self, timer: Timer, due: float) -> None:
        """Looks at the timer at `due`, or before: to be called when that is before `timer.filed`."""
        farthest = self._tick * TICK_S + FARTHEST_S
        if due > farthest:
            due = farthest
        timer.filed = due
        tick = int(due / TICK_S) + 1
        if tick <= self._tick:
            tick = self._tick + 1
        slot = self._slots.get(tick)
        if slot is None:
            self._slots[tick] = [timer]
        else:
            slot.append(timer)

    def advance(self, now: float) -> None:
        """Tells the owners of all timers that are due. One that fails must not take the others' timers with it: they
        would never be filed again."""
        last = int(now / TICK_S)
        slots = self._slots
        if last - self._tick > len(slots):  # after a long stop, or nearly empty: look at what is there instead
            ticks = sorted(tick for tick in slots if tick <= last)
        else:
            ticks = [tick for tick in range(self._tick + 1, last + 1) if tick in slots]
        self._tick = max(last, self._tick)
        for tick in ticks:
            for timer in slots.pop(tick):
                try:
                    self._look_at(timer, tick, now)
                except Exception:
                    _log.exception("the owner of a timer failed")

    def _look_at(self, timer: Timer, tick: int, now: float) -> None:
        if timer.filed == NEVER or int(timer.filed / TICK_S) + 1 > tick:
            return  # already looked at, or filed elsewhere since
        timer.filed = NEVER
        if timer.due > now:
            if timer.due != NEVER:
                self.file(timer, timer.due)
            return
        timer.due = NEVER
        if timer.owner is not None:
            timer.owner.on_timer(now)

    def __len__(self) -> int:
        return sum(len(slot) for slot in self._slots.values())

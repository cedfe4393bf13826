"""Ends a connection of HTTP/2 or HTTP/3 whose caller begins a block of fields and does not bring it to an end in time:
what came of it is held until then, and no stream of its own has a timer yet (CVE-2024-27316 with pauses)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.exchange import NEVER
from gateway.wire.interfaces import Timer

if TYPE_CHECKING:
    from gateway.relay.deadline import TimerWheel


class SlowHead:
    """Made with the first block that did not come in one piece. end: is told when one took too long."""

    __slots__ = ("_end", "_timer", "_wheel")

    def __init__(self, wheel: "TimerWheel", end: Callable[[], None]) -> None:
        self._wheel, self._end = wheel, end
        self._timer = Timer()

    def watch(self, due: float) -> None:
        """Something of it came. due: of the whole block, from its first byte; what comes later does not move it."""
        if self._timer.due == NEVER:
            self._wheel.set(self._timer, self, due)

    def rest(self) -> None:
        """It is whole, or the connection is over."""
        self._timer.due = NEVER

    def on_timer(self, now: float) -> None:
        self._end()

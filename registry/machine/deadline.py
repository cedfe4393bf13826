"""One timer a connection: moving a deadline is an attribute store, not a timer made and cancelled per request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable


class Deadline:
    """Calls `over` once the loop's clock has passed the moment set last. Between, it only looks and sleeps on."""

    __slots__ = ("_at", "_loop", "_over", "_timer")

    def __init__(self, loop: AbstractEventLoop, over: Callable[[], None]) -> None:
        self._loop = loop
        self._over = over
        self._at = 0.0
        self._timer: TimerHandle | None = None

    def within(self, seconds: float) -> None:
        at = self._at = self._loop.time() + seconds
        timer = self._timer
        if timer is None:
            self._timer = self._loop.call_at(at, self._look)
        elif timer.when() > at:
            timer.cancel()
            self._timer = self._loop.call_at(at, self._look)

    def none(self) -> None:
        """No limit until `within` is called again; a running timer is left to run out."""
        self._at = 0.0

    def stop(self) -> None:
        self._at = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if not self._at:
            return
        if self._loop.time() < self._at:
            self._timer = self._loop.call_at(self._at, self._look)
            return
        self._at = 0.0
        self._over()

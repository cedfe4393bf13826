"""Writing in turns: whoever has something to be told is asked for a piece of it, and the loop serves others in between.

A piece is at most one part of a snapshot to encode, about a millisecond. So however many take the whole of a large mesh
at once, and however far behind a reader is, a heartbeat waits for one turn and the piece at its end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TURN_S: Final = 1e-3


class Turns:
    """Of one loop. Who joins is asked in its order, again and again until it says that it has no more."""

    __slots__ = ("_clock", "_is_set", "_loop", "_waiting")

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        # Not the loop's clock: it stands still within a turn.
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[Callable[[], bool]] = deque()
        self._is_set = False

    def join(self, writes: Iterable[Callable[[], bool]]) -> None:
        """Each writes a piece and answers whether it has more now."""
        self._waiting.extend(writes)
        if not self._is_set:
            self._is_set = True
            loop = self._loop = self._loop or asyncio.get_running_loop()
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        assert self._loop is not None
        waiting, clock = self._waiting, self._clock
        end_s = clock() + TURN_S
        try:
            while waiting:
                write = waiting.popleft()
                if write():
                    waiting.append(write)
                if clock() >= end_s:
                    break
        finally:  # one that raised is out, the others go on
            self._is_set = bool(waiting)
            if waiting:
                self._loop.call_soon(self._turn)

"""Clocks that a test moves: one that stands still in between, one that goes on by itself."""

import time


class ManualClock:
    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class LeapingClock:
    """The machine's, ahead by what was leapt: minutes pass in a test of real sockets.

    It begins at a whole day, as every window and segment then does.
    """

    def __init__(self) -> None:
        self._ahead_s = -time.monotonic() % 86400.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def leap(self, seconds: float) -> None:
        self._ahead_s += seconds

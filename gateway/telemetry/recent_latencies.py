"""How long calls took in the last minute, for who decides by it (hedging)."""

from math import inf
from typing import Final

from meshway.histogram import BUCKETS, bucket_of, quantile

WINDOW_S: Final = 60.0
SEGMENTS: Final = 6
LEAST: Final = 100  # fewer say nothing of their slowest twentieth
_KEPT_S: Final = 1.0  # a quantile, until it is computed anew


class RecentLatencies:
    """share: of the quantile, 0 to 1. It covers the last minute, but for up to a sixth of it."""

    __slots__ = ("_ends", "_known", "_known_until", "_segments", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._segments = [[0] * BUCKETS]  # the newest first
        self._ends = 0.0
        self._known = inf
        self._known_until = 0.0

    def add(self, seconds: float, now: float) -> None:
        if now >= self._ends:
            self._turn(now)
        self._segments[0][bucket_of(seconds)] += 1

    def quantile_s(self, now: float) -> float:
        """inf: too few calls to tell."""
        if now >= self._known_until:
            if now >= self._ends:
                self._turn(now)
            self._known_until = now + _KEPT_S
            counts = [sum(cells) for cells in zip(*self._segments, strict=True)]
            self._known = quantile(counts, self._share) if sum(counts) >= LEAST else inf
        return self._known

    def _turn(self, now: float) -> None:
        """Begins the segment of `now`."""
        step_s = WINDOW_S / SEGMENTS
        steps = min(int((now - self._ends) / step_s) + 1, SEGMENTS)
        fresh = [[0] * BUCKETS for _ in range(steps)]
        self._segments = [*fresh, *self._segments][:SEGMENTS]
        self._ends += steps * step_s
        if self._ends <= now:
            self._ends = now + step_s

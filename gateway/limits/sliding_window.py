"""Sliding windows by key: a call is admitted when the calls of the last `window` and itself are at most `limit`.

Calls are counted in segments, and a segment counts in full as long as the window touches any of it: no window of any
place holds more than the limit, and a call counts for at most window · (1 + 1 / segments). Weighting the oldest segment
by its overlap, as is usual, admits too much after a burst. `exact` keeps the moment of every call instead.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable


class _Count:
    """Calls of one key that count. leaving: when they count no more, and how many; the first leaves first."""

    __slots__ = ("leaving", "total")

    def __init__(self) -> None:
        self.leaving: deque[list[float]] = deque()
        self.total = 0

    def forget(self, now: float) -> None:
        leaving = self.leaving
        while leaving and leaving[0][0] <= now:
            self.total -= int(leaving.popleft()[1])

    def add(self, until: float, calls: int = 1) -> None:
        self.total += calls
        if self.leaving and self.leaving[-1][0] == until:
            self.leaving[-1][1] += calls
        else:
            self.leaving.append([until, calls])


class SlidingWindows:
    """limit: calls a window. max_keys: above it the least recently used key is dropped (dropped).

    workers: live workers among whom the limit is divided; each has at least `least`, what one call counts for.
    """

    __slots__ = (
        "_counts",
        "_exact",
        "_least",
        "_limit",
        "_max_keys",
        "_segments",
        "_width_s",
        "dropped",
        "limit",
        "window_s",
    )

    def __init__(
        self,
        limit: int,
        window_s: float,
        segments: int = 10,
        *,
        exact: bool = False,
        max_keys: int = 100_000,
        workers: int = 1,
        least: int = 1,
    ) -> None:
        self.window_s = window_s
        self.dropped = 0
        self._limit = limit
        self._segments = segments
        self._width_s = window_s / segments
        self._exact = exact
        self._least = least
        self._max_keys = max_keys
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self.share(workers)

    def share(self, workers: int) -> None:
        self.limit = max(self._limit // max(workers, 1), self._least)

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        if cost > self.limit:
            return math.inf
        count = self._counts.get(key)
        if count is None and ahead + cost <= self.limit:
            return 0.0
        # Whoever stands behind a whole window's calls waits for that window to pass first.
        rounds, behind = divmod(ahead, self.limit)
        passing_s = rounds * self.window_s
        if count is None:
            return passing_s or self.window_s
        count.forget(now)
        over = count.total + behind + cost - self.limit
        if over <= 0:
            return passing_s
        for until, calls in count.leaving:
            over -= int(calls)
            if over <= 0:
                return passing_s + until - now
        return passing_s + self.window_s

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        counts = self._counts
        count = counts.get(key)
        if count is None:
            count = counts[key] = _Count()
            if len(counts) > self._max_keys:
                counts.popitem(last=False)
                self.dropped += 1
        else:
            counts.move_to_end(key)
        count.add(self._until(now), cost)

    def take(self, key: str, now: float) -> float:
        count = self._counts.get(key)
        if count is None:
            self.spend(key, now)
            return self._until(now) - now
        count.forget(now)
        if count.total >= self.limit:
            return -self.wait_s(key, now)
        until = self._until(now)
        count.add(until)
        self._counts.move_to_end(key)
        return until - now

    def left(self, key: str, now: float) -> float:
        count = self._counts.get(key)
        if count is None:
            return float(self.limit)
        count.forget(now)
        return float(max(self.limit - count.total, 0))

    def reset_s(self, key: str, now: float) -> float:
        count = self._counts.get(key)
        return max(count.leaving[-1][0] - now, 0.0) if count is not None and count.leaving else 0.0

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """Moments and numbers by turns."""
        found = []
        for key, count in self._counts.items():
            count.forget(now)
            if count.total:
                found.append((key, [number for pair in count.leaving for number in pair]))
        return found

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        for key, numbers in spent:
            own = self._counts.get(key)
            pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
            pairs += [(until, calls) for until, calls in own.leaving] if own is not None else []
            merged = self._counts[key] = _Count()
            for until, calls in sorted(pairs):
                if now < until:
                    merged.add(until, int(calls))
            self._counts.move_to_end(key)
        while len(self._counts) > self._max_keys:
            self._counts.popitem(last=False)
            self.dropped += 1

    @property
    def keys(self) -> int:
        return len(self._counts)

    def _until(self, now: float) -> float:
        """When a call of now counts no more."""
        if self._exact:
            return now + self.window_s
        return (math.floor(now / self._width_s) + self._segments + 1) * self._width_s

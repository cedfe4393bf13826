"""Counts of the last seconds, in two numbers: how many, and how many of them of the special sort (failed, retried)."""

from math import sqrt


def lower_bound(share: float, total: int, z: float) -> float:
    """Of the true share behind an observed one, one-sided: the Wilson score (1927). z: quantile of the confidence."""
    spread = z * sqrt(share * (1.0 - share) / total + z * z / (4.0 * total * total))
    return (share + z * z / (2.0 * total) - spread) / (1.0 + z * z / total)


class RatioWindow:
    """A sliding window of segments. It covers at least window * (1 - 1/segments) and at most window.

    total, failed: running sums that never fall. The hot path writes them itself, after `if now >= ends: advance(now)`,
    for a method call would cost more than the count.
    """

    __slots__ = ("_marks", "_segment_s", "_segments", "ends", "failed", "total")

    def __init__(self, window_s: float, segments: int = 10) -> None:
        self._segment_s = window_s / segments
        self._segments = segments
        # The sums at the start of each segment that the window touches, the oldest first. Few: a deque has room for 64.
        self._marks: list[tuple[int, int]] = [(0, 0)]
        self.total = 0
        self.failed = 0
        self.ends = 0.0

    def advance(self, now: float) -> None:
        """Begins the segment of `now`; to be called when `now >= ends`."""
        marks = self._marks
        mark = (self.total, self.failed)
        steps = int((now - self.ends) / self._segment_s) + 1 if self.ends else self._segments
        marks += [mark] * min(steps, self._segments)
        del marks[: -self._segments]
        self.ends = (self.ends + steps * self._segment_s) if self.ends else now + self._segment_s

    def add(self, failed: bool, now: float) -> None:
        if now >= self.ends:
            self.advance(now)
        self.total += 1
        if failed:
            self.failed += 1

    def counts(self, now: float) -> tuple[int, int]:
        """(all, special) within the window."""
        if now >= self.ends:
            self.advance(now)
        total, failed = self._marks[0]
        return self.total - total, self.failed - failed

    def clear(self) -> None:
        mark = (self.total, self.failed)
        for at in range(len(self._marks)):
            self._marks[at] = mark

"""Quotas by key: so many calls in a day or month of the calendar, the next one begins anew."""

from collections import OrderedDict
from collections.abc import Iterable
from math import inf

from gateway.limits.calendar import Calendar


class Quotas:
    """limit: calls a period. max_keys: above it the least recently used key is dropped (dropped).

    workers: live workers among whom the limit is divided; each has at least `least`, what one call counts for.
    """

    __slots__ = ("_calendar", "_counts", "_ends", "_least", "_limit", "_max_keys", "_period", "dropped", "limit")

    def __init__(
        self, limit: int, calendar: Calendar, max_keys: int = 100_000, workers: int = 1, least: int = 1
    ) -> None:
        self.dropped = 0
        self._limit = limit
        self._calendar = calendar
        self._least = least
        self._max_keys = max_keys
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._period = 0
        self._ends = -inf
        self.share(workers)

    def share(self, workers: int) -> None:
        self.limit = max(self._limit // max(workers, 1), self._least)

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        self._turn(now)
        if cost > self.limit:
            return inf
        return 0.0 if self._counts.get(key, 0) + ahead + cost <= self.limit else self._ends - now

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        self._turn(now)
        counts = self._counts
        counts[key] = counts.get(key, 0) + cost
        counts.move_to_end(key)
        self._make_room()

    def take(self, key: str, now: float) -> float:
        wait_s = self.wait_s(key, now)
        if wait_s > 0.0:
            return -wait_s
        self.spend(key, now)
        return self._ends - now

    def left(self, key: str, now: float) -> float:
        self._turn(now)
        return float(max(self.limit - self._counts.get(key, 0), 0))

    def reset_s(self, key: str, now: float) -> float:
        self._turn(now)
        return self._ends - now

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """The period, and the calls in it."""
        self._turn(now)
        return [(key, [float(self._period), float(calls)]) for key, calls in self._counts.items()]

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        self._turn(now)
        for key, (period, calls) in spent:
            if int(period) == self._period:
                self._counts[key] = self._counts.get(key, 0) + int(calls)
                self._counts.move_to_end(key)
        self._make_room()

    def _turn(self, now: float) -> None:
        """The clock on the wall is asked again when the period should be over, so that it may be set meanwhile."""
        if now < self._ends:
            return
        period, left_s = self._calendar.now()
        self._ends = now + left_s
        if period != self._period:
            self._period = period
            self._counts.clear()

    def _make_room(self) -> None:
        while len(self._counts) > self._max_keys:
            self._counts.popitem(last=False)
            self.dropped += 1

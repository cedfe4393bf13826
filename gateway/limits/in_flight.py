"""Calls that run at once, by key: each is counted until it is over."""

from collections.abc import Iterable
from typing import Final

SOON_S: Final = 1e-3  # nobody knows when a running call will end


class InFlight:
    """limit: calls at once. workers: live workers among whom it is divided; each may run at least one."""

    __slots__ = ("_limit", "_running", "dropped", "limit")

    def __init__(self, limit: int, workers: int = 1) -> None:
        self.dropped = 0  # a key lives as long as its calls
        self._limit = limit
        self._running: dict[str, int] = {}
        self.share(workers)

    def share(self, workers: int) -> None:
        self.limit = max(self._limit // max(workers, 1), 1)

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        return 0.0 if self._running.get(key, 0) + ahead + cost <= self.limit else SOON_S

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        self._running[key] = self._running.get(key, 0) + cost

    def count(self, key: str) -> int:
        return self._running.get(key, 0)

    def release(self, key: str, now: float) -> None:
        """A call is over."""
        left = self._running.get(key, 0) - 1
        if left > 0:
            self._running[key] = left
        else:
            self._running.pop(key, None)

    def take(self, key: str, now: float) -> float:
        wait_s = self.wait_s(key, now)
        if wait_s > 0.0:
            return -wait_s
        self.spend(key, now)
        return 0.0

    def left(self, key: str, now: float) -> float:
        return float(max(self.limit - self._running.get(key, 0), 0))

    def reset_s(self, key: str, now: float) -> float:
        return 0.0

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """Nothing: running calls stay with the worker that runs them."""
        return []

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        """Nothing."""

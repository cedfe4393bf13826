"""What a worker does with a limit that it cannot count together with the others, by the policy's `on_store_failure`."""

from math import inf
from typing import Literal

from gateway.limits.algorithm import Algorithm
from gateway.limits.desk import Desk

OnFailure = Literal["local_share", "open", "closed"]


class Alone:
    """counts: this worker's own count, of its share. decided: calls that were admitted so."""

    __slots__ = ("_counts", "_desk", "_on_failure", "_workers", "decided")

    def __init__(self, counts: Algorithm, desk: Desk, on_failure: OnFailure) -> None:
        self._counts = counts
        self._desk = desk
        self._on_failure = on_failure
        self._workers = -1
        self.decided = 0

    def counts(self) -> Algorithm:
        """Of the share as it is now."""
        if self._desk.workers != self._workers:
            self._workers = self._desk.workers
            self._counts.share(max(self._workers, 1))
        return self._counts

    def wait_s(self, key: str, now: float, ahead: int, cost: int) -> float:
        if self._on_failure == "open":
            return 0.0
        if self._on_failure == "closed":
            return inf
        return self.counts().wait_s(key, now, ahead, cost)

    def spend(self, key: str, now: float, cost: int) -> None:
        self.decided += 1
        if self._on_failure == "local_share":
            self._counts.spend(key, now, cost)

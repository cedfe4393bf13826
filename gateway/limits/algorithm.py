"""What a limit counts by: the same questions to a bucket, a window, or a share of one that others count with."""

from collections.abc import Iterable
from typing import Protocol


class Algorithm(Protocol):
    """Counts calls by key. Times are monotonic seconds, which never go back. dropped: keys that were forgotten for want
    of room; each begins anew. cost: what a call counts for."""

    dropped: int

    def share(self, workers: int) -> None:
        """Among how many it is divided."""

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        """0 when a call would be admitted now, else the seconds until it would, at least; inf: never. ahead: what those
        before it count for. Takes nothing."""

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        """Counts a call. `wait_s` has said that there is room, or it is told afterwards what it was worth: then more
        may be spent than there was."""

    def take(self, key: str, now: float) -> float:
        """`wait_s` and `spend` in one step, of a call that counts for 1: counted, the seconds until all is there again
        (0 or more); else the seconds to wait, below zero."""

    def left(self, key: str, now: float) -> float:
        """Calls that would be admitted now."""

    def reset_s(self, key: str, now: float) -> float:
        """Seconds until all is there again."""

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """What another worker must know to go on with the count; the keys used last come last."""

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        """What another worker, whose place this one takes, has counted; as if it had been counted here."""

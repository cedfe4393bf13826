"""What was worked out for one who asked, kept for the next: so much, and what was not asked for longest goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshway.telemetry import Row

_K = TypeVar("_K")
_V = TypeVar("_V")


class Shelf(Generic[_K, _V]):
    """most: of all weights. weight: of what is kept."""

    __slots__ = ("_kept", "_most", "weight")

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        self.weight = 0

    def get(self, key: _K) -> _V | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: _K, value: _V, weight: int) -> None:
        _, known = self._kept.pop(key, (None, 0))
        self._kept[key] = (value, weight)
        self.weight += weight - known
        while self.weight > self._most:
            _, (_, gone) = self._kept.popitem(last=False)
            self.weight -= gone


def weight_of(rows: Iterable[Row]) -> int:
    """About 80 bytes each: what a row is made of, and the buckets of its histogram."""
    return sum(8 + len(row.buckets) for row in rows)

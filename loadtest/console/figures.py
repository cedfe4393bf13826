"""What was measured beside its bound, as a table. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MB: Final = 1e6


class Figure(NamedTuple):
    """bound: the most it may be; None: told, and not judged. unit: behind the number."""

    what: str
    value: float
    bound: float | None
    unit: str
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.bound is None or self.value <= self.bound


def median_of(what: str, values: Sequence[float], bound: float | None, unit: str) -> Figure:
    """With the least and the most of them."""
    note = f"{len(values)} runs, {min(values):,.4g} to {max(values):,.4g}"
    return Figure(what, statistics.median(values), bound, unit, note)


def growth_of(quarters: Sequence[float]) -> float:
    """By how much of itself the second half of a course is above the first; 0.0 where it is not. The first value is
    left out: caches fill."""
    settled = quarters[1:]
    middle = len(settled) // 2
    first, second = statistics.mean(settled[:middle]), statistics.mean(settled[middle:])
    return max(0.0, second / first - 1.0)


def table(figures: Sequence[Figure]) -> str:
    lines = ["| what | measured | at most | |", "|---|---|---|---|"]
    for one in figures:
        bound = "–" if one.bound is None else f"{one.bound:,.4g} {one.unit}"
        verdict = "" if one.bound is None else "met" if one.is_met else "**missed**"
        note = f" ({one.note})" if one.note else ""
        lines.append(f"| {one.what} | {one.value:,.4g} {one.unit}{note} | {bound} | {verdict} |")
    return "\n".join(lines)

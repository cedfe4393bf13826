"""One figure over time, by what it is asked: percentiles are worked out of all calls of a step together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from meshway.telemetry import EDGES, INSTANCES, ROUTES, Key, Row, Rows
from registry.insight.figures import Metric, figure_of

if TYPE_CHECKING:
    from collections.abc import Callable

By = Literal["total", "namespace", "service", "source", "route", "rule", "status", "flag", "instance", "version"]
BYS: Final[tuple[By, ...]] = get_args(By)
SECTION_OF: Final[dict[By, str]] = {
    "total": EDGES,
    "namespace": EDGES,
    "service": EDGES,
    "source": EDGES,
    "route": ROUTES,
    "rule": ROUTES,
    "status": ROUTES,
    "flag": ROUTES,
    "instance": INSTANCES,
    "version": INSTANCES,
}
MOST_POINTS: Final = 1_000
MOST_LINES: Final = 50


class Line(msgspec.Struct, frozen=True):
    """name: what it is of. points: from the first step to the last; null where there were no calls to tell it by."""

    name: str
    points: list[float | None]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """first: of the first step, seconds since 1970; each step is of step_s. left_out: lines that are not told, those
    with the fewest calls."""

    metric: Metric
    by: By
    first: float
    step_s: int
    lines: list[Line]
    left_out: int = 0


def line_of(by: By) -> Callable[[Key], str]:
    """The name of the line that a row of the section counts to."""
    places: dict[By, Callable[[Key], str]] = {
        "total": lambda _: "total",
        "namespace": lambda key: key[1].partition("/")[0],
        "service": lambda key: key[1],
        "source": lambda key: key[0],
        "route": lambda key: key[0],
        "rule": lambda key: f"{key[0]} {key[1]}",
        "status": lambda key: key[3],
        "flag": lambda key: key[4] or "none",
        "instance": lambda key: f"{key[0]}/{key[1]}",
        "version": lambda key: f"{key[0]} {key[2] or 'none'}",
    }
    return places[by]


class Drawing:
    """Takes what there was in the order of time, and keeps figures of steps that are past: few at once are rows."""

    def __init__(self, metric: Metric, by: By, steps: range, *, now: float) -> None:
        """steps: where they begin, seconds since 1970. now: no step is longer than it has lasted."""
        self._metric = metric
        self._by = by
        self._steps = steps
        self._lasted = [max(min(steps.step, now - begin), 1.0) for begin in steps]
        self._calls: dict[str, int] = {}
        self._points: dict[str, list[float | None]] = {}

    def add(self, begin: int, rows: Rows) -> None:
        """begin: of a step, each once. rows: by the name of their line."""
        step = self._steps.index(begin)
        for (name,), row in rows.items():
            self._calls[name] = self._calls.get(name, 0) + row.calls
            points = self._points.setdefault(name, [None] * len(self._lasted))
            points[step] = figure_of(row, self._metric, self._lasted[step])

    def told(self) -> Series:
        ranked = sorted(self._calls, key=lambda name: (-self._calls[name], name))
        nothing = [figure_of(Row(()), self._metric, span_s) for span_s in self._lasted]
        return Series(
            metric=self._metric,
            by=self._by,
            first=self._steps.start,
            step_s=self._steps.step,
            lines=[
                Line(
                    name,
                    [
                        empty if point is None else point
                        for point, empty in zip(self._points[name], nothing, strict=True)
                    ],
                )
                for name in ranked[:MOST_LINES]
            ],
            left_out=max(len(ranked) - MOST_LINES, 0),
        )

"""One figure over time, by what it is asked: percentiles are worked out of all calls of a step together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from meshway.telemetry import EDGES, INSTANCES, ROUTES, Key, Row
from registry.insight.figures import Metric, figure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

    def __init__(
        self,
        metric: Metric,
        by: By,
        sort: Callable[[Key], Key | None],
        *,
        first: int,
        end: int,
        step_s: int,
        now: float,
    ) -> None:
        """sort: a key as it may be seen, None: not at all. end: not included. now: no step is longer than it has
        lasted."""
        self._metric = metric
        self._by = by
        self._sort = sort
        self._name_of = line_of(by)
        self._first = first
        self._step_s = step_s
        self._lasted = [max(min(step_s, now - begin), 1.0) for begin in range(first, end, step_s)]
        self._calls: dict[str, int] = {}
        self._points: dict[str, list[float | None]] = {}
        self._step = 0
        self._rows: dict[str, Row] = {}

    def add(self, at: int, rows: Iterable[Row]) -> None:
        """at: their time, not before that of the last ones."""
        step = (at - self._first) // self._step_s
        if not 0 <= step < len(self._lasted):
            return
        if step != self._step:
            self._close()
            self._step = step
        for row in rows:
            if (key := self._sort(row.key)) is not None:
                name = self._name_of(key)
                if (known := self._rows.get(name)) is None:
                    self._rows[name] = row.copied((name,))
                else:
                    known.add(row)

    def told(self) -> Series:
        self._close()
        ranked = sorted(self._calls, key=lambda name: (-self._calls[name], name))
        nothing = [figure_of(Row(()), self._metric, span_s) for span_s in self._lasted]
        return Series(
            metric=self._metric,
            by=self._by,
            first=self._first,
            step_s=self._step_s,
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

    def _close(self) -> None:
        rows, self._rows = self._rows, {}
        for name, row in rows.items():
            self._calls[name] = self._calls.get(name, 0) + row.calls
            points = self._points.setdefault(name, [None] * len(self._lasted))
            points[self._step] = figure_of(row, self._metric, self._lasted[self._step])

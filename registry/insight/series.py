"""One figure over time, by what it is asked: percentiles are worked out of all calls of a step together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from meshway.telemetry import EDGES, INSTANCES, ROUTES, Key, Row, Rows, add_row
from registry.insight.figures import Metric, figure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry.insight.reading import Timed

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


def series_of(
    timed: Iterable[Timed],
    metric: Metric,
    by: By,
    sort: Callable[[Key], Key | None],
    *,
    first: int,
    end: int,
    step_s: int,
    now: float,
) -> Series:
    """sort: a key as it may be seen, None: not at all. end: not included. now: no step is longer than it has lasted."""
    name_of = line_of(by)
    steps: list[Rows] = [{} for _ in range(-(-(end - first) // step_s))]
    calls: dict[str, int] = {}
    for at, rows in timed:
        place = (at - first) // step_s
        if not 0 <= place < len(steps):
            continue
        for row in rows:
            if (key := sort(row.key)) is not None:
                name = name_of(key)
                calls[name] = calls.get(name, 0) + row.calls
                add_row(steps[place], row.copied((name,)))
    ranked = sorted(calls, key=lambda name: (-calls[name], name))
    lasted = [max(min(step_s, now - first - at * step_s), 1.0) for at in range(len(steps))]
    lines = [
        Line(
            name,
            [
                figure_of(rows.get((name,)) or Row(()), metric, span_s)
                for rows, span_s in zip(steps, lasted, strict=True)
            ],
        )
        for name in ranked[:MOST_LINES]
    ]
    return Series(
        metric=metric,
        by=by,
        first=first,
        step_s=step_s,
        lines=lines,
        left_out=max(len(ranked) - MOST_LINES, 0),
    )

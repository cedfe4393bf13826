from collections.abc import Callable

import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Key, Row, Rows
from registry.insight import series
from registry.insight.figures import Metric
from registry.insight.series import By, Drawing, Series, line_of
from registry.insight.sums import add_all

CART, PAY = ("shop/web", "shop/cart"), ("shop/cart", "bank/pay")


def row(key: Key, calls: int, seconds: float = 0.1, failed: int = 0) -> Row:
    return Row(key, calls, failed, buckets={bucket_of(seconds): calls})


TIMED = [
    (100, [row(CART, 10), row(PAY, 1)]),
    (110, [row(CART, 30, 1.0)]),
    (120, [row(CART, 20, failed=5)]),
]


def told(
    metric: Metric, by: By = "service", sort: Callable[[Key], Key | None] = lambda key: key, *, now: float = 1_000.0
) -> Series:
    steps, name_of = range(100, 160, 20), line_of(by)

    def named(key: Key) -> Key | None:
        seen = sort(key)
        return None if seen is None else (name_of(seen),)

    drawing = Drawing(metric, by, steps, now=now)
    for begin in steps:
        counted: Rows = {}
        for at, rows in TIMED:
            if begin <= at < begin + steps.step:
                add_all(counted, rows, named)
        if counted:
            drawing.add(begin, counted)
    return drawing.told()


def lines(found: Series) -> dict[str, list[float | None]]:
    return {line.name: line.points for line in found.lines}


def test_steps_without_calls_are_there_and_say_nothing() -> None:
    assert lines(told("calls")) == {"shop/cart": [40, 20, 0], "bank/pay": [1, 0, 0]}
    assert lines(told("error_share")) == {"shop/cart": [0.0, 0.25, None], "bank/pay": [0.0, None, None]}


def test_percentiles_are_of_all_calls_of_a_step() -> None:
    (cart, _) = told("p50_ms").lines
    assert cart.points[0] == pytest.approx(1_000, rel=0.05)
    assert cart.points[1] == pytest.approx(100, rel=0.05)


def test_a_rate_is_of_the_time_that_a_step_has_lasted() -> None:
    assert lines(told("rps"))["shop/cart"] == [2.0, 1.0, 0.0]
    assert lines(told("rps", now=130.0))["shop/cart"] == [2.0, 2.0, 0.0]


def test_lines_are_by_what_was_asked() -> None:
    assert set(lines(told("calls", "namespace"))) == {"shop", "bank"}
    assert set(lines(told("calls", "source"))) == {"shop/web", "shop/cart"}
    assert lines(told("calls", "total")) == {"total": [41, 20, 0]}


def test_what_may_not_be_seen_counts_nowhere() -> None:
    found = told("calls", "total", lambda key: key if key == PAY else None)
    assert lines(found) == {"total": [1, 0, 0]}


def test_above_the_most_the_lines_with_fewest_calls_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_LINES", 1)
    found = told("calls")
    assert ([line.name for line in found.lines], found.left_out) == (["shop/cart"], 1)

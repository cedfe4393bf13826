import random

import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Row
from registry.insight.figures import difference_of, figure_of, figures_of


def row(calls: int, failed: int = 0, seconds: float = 0.1) -> Row:
    return Row(
        (), calls, failed, rejected=1, retries=2, bytes_in=100, bytes_out=3_000, seconds=calls * seconds,
        buckets={bucket_of(seconds): calls} if calls else {},
    )  # fmt: skip


def test_rates_are_of_the_span_and_shares_of_the_calls() -> None:
    figures = figures_of(row(200, failed=5), 10.0)
    assert (figures.calls, figures.rps, figures.error_share, figures.rejected_share) == (200, 20.0, 0.025, 0.005)
    assert (figures.in_bps, figures.out_bps, figures.retries) == (10.0, 300.0, 2)
    assert figures.p95_ms == pytest.approx(100, rel=0.05)
    assert figures.mean_ms == pytest.approx(100)


def test_nothing_called_has_no_share_and_no_percentile() -> None:
    empty = Row(())
    assert figures_of(empty, 10.0).error_share == 0.0
    assert figure_of(empty, "error_share", 10.0) is None
    assert figure_of(empty, "p99_ms", 10.0) is None
    assert figure_of(empty, "rps", 10.0) == 0.0


def test_few_calls_are_no_proof_of_a_difference_and_many_are() -> None:
    assert not difference_of(row(20, 0), row(20, 1)).is_certain
    difference = difference_of(row(2_000, 20), row(2_000, 100))
    assert difference.is_certain
    assert difference.error_share == pytest.approx(0.04)
    assert difference.low < difference.error_share < difference.high


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    chance = random.Random(7)
    held = 0
    for _ in range(1_000):
        failed = [sum(chance.random() < share for _ in range(200)) for share in (0.01, 0.03)]
        difference = difference_of(row(200, failed[0]), row(200, failed[1]))
        held += difference.low <= 0.02 <= difference.high
    assert held >= 930


def test_latencies_are_compared_by_their_ratio() -> None:
    assert difference_of(row(100, seconds=0.1), row(100, seconds=0.2)).p95_ratio == pytest.approx(2.0, rel=0.1)
    assert difference_of(row(0), row(100)).p95_ratio is None

from math import inf

import pytest

from gateway.telemetry.recent_latencies import LEAST, RecentLatencies


def test_the_quantile_is_of_what_was_told_within_four_percent() -> None:
    latencies = RecentLatencies(0.95)
    for at in range(1000):
        latencies.add((at + 1) / 1000.0, 100.0)
    assert latencies.quantile_s(100.0) == pytest.approx(0.95, rel=0.04)


def test_too_few_calls_tell_nothing() -> None:
    latencies = RecentLatencies(0.95)
    for _ in range(LEAST - 1):
        latencies.add(0.1, 100.0)
    assert latencies.quantile_s(100.0) == inf
    latencies.add(0.1, 100.5)
    assert latencies.quantile_s(100.5) == inf  # as it was known
    assert latencies.quantile_s(101.1) == pytest.approx(0.1, rel=0.04)


def test_what_is_older_than_a_minute_does_not_count() -> None:
    latencies = RecentLatencies(0.5)
    for _ in range(LEAST):
        latencies.add(1.0, 100.0)
    for second in range(101, 155):
        for _ in range(10):
            latencies.add(0.01, float(second))
    assert latencies.quantile_s(155.0) == pytest.approx(0.01, rel=0.04)
    assert latencies.quantile_s(155.0 + 39.0) == pytest.approx(0.01, rel=0.04)
    assert latencies.quantile_s(155.0 + 70.0) == inf


def test_a_minute_without_calls_ends_what_was_known() -> None:
    latencies = RecentLatencies(0.5)
    for _ in range(LEAST):
        latencies.add(1.0, 100.0)
    assert latencies.quantile_s(150.0) == pytest.approx(1.0, rel=0.04)
    assert latencies.quantile_s(10_000.0) == inf

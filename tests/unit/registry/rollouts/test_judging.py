import random
from math import exp

import pytest

from meshway.histogram import bucket_of
from meshway.model.rollout import Judge
from meshway.telemetry import Row
from registry.rollouts.judging import judged, needed_evidence


def row(calls: int, failed: int = 0, seconds: float = 0.1) -> Row:
    """Durations from half of it to half as much again."""
    buckets: dict[int, int] = {}
    for number in range(calls):
        bucket = bucket_of(seconds * (0.5 + number / calls))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return Row((), calls, failed, buckets=buckets)


def test_all_looks_at_all_measures_of_all_steps_share_what_confidence_leaves() -> None:
    assert exp(-needed_evidence(Judge(confidence_percent=99), 3)) == pytest.approx(0.01 / 6)
    assert exp(-needed_evidence(Judge(confidence_percent=95), 1)) == pytest.approx(0.05 / 2)


def test_too_few_calls_decide_nothing_however_bad_they_are() -> None:
    for canary, control in ((row(199, 199), row(5_000)), (row(5_000, 5_000), row(199))):
        told = judged(Judge(), 3, canary, control, 10_000)
        assert told.verdict == "not_enough_data"
        assert "200 of each are needed" in told.reason
        assert {measure.verdict for measure in told.measures} == {"not_enough_data"}
    assert judged(Judge(), 3, Row(()), Row(()), 0).verdict == "not_enough_data"


def test_failures_alone_and_slowness_alone_are_worse_and_the_reason_has_the_figures() -> None:
    failing = judged(Judge(), 3, row(2_000, 90), row(2_000, 6), 20_000)
    assert [measure.verdict for measure in failing.measures] == ["worse", "same"]
    assert failing.verdict == "worse"
    assert failing.reason.startswith("failures 4.5 %, control 0.3 %, difference +4.2 [+")
    assert "allowed +1 points" in failing.reason
    assert failing.measured_percent == 10.0
    slow = judged(Judge(), 3, row(5_000, 5, seconds=0.2), row(5_000, 5), 50_000)
    assert [measure.verdict for measure in slow.measures] == ["same", "worse"]
    assert slow.verdict == "worse"


def test_no_difference_is_the_same_and_a_better_one_is_better() -> None:
    same = judged(Judge(), 3, row(3_000, 6), row(3_000, 6), 30_000)
    assert same.verdict == "same"
    better = judged(Judge(), 3, row(5_000, 5, seconds=0.05), row(5_000, 250), 50_000)
    assert better.verdict == "better"


def test_what_is_allowed_is_the_documents() -> None:
    chance = random.Random(7)
    canary, control = row(4_000, 200 + chance.randrange(3)), row(4_000, 40)
    assert judged(Judge(failure_percent_increase=1), 1, canary, control, 8_000).verdict == "worse"
    assert judged(Judge(failure_percent_increase=5), 1, canary, control, 8_000).verdict == "same"
    slow = row(5_000, seconds=0.2)
    assert judged(Judge(p99_increase_percent=20), 1, slow, row(5_000), 10_000).verdict == "worse"
    assert judged(Judge(p99_increase_percent=150), 1, slow, row(5_000), 10_000).verdict == "same"

import math
import random

import pytest

from meshway.histogram import BUCKETS, bucket_of, cumulative, lower_bound, quantile, upper_bound


def test_the_middle_of_a_bucket_is_within_five_percent_of_every_duration_in_it() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(20_000):
        seconds = math.exp(chance.uniform(math.log(50e-6), math.log(120.0)))
        bucket = bucket_of(seconds)
        assert lower_bound(bucket) <= seconds < upper_bound(bucket)
        middle = (lower_bound(bucket) + upper_bound(bucket)) / 2
        assert abs(middle - seconds) / seconds <= 0.05


def test_buckets_follow_each_other_without_gap() -> None:
    assert [bucket_of(lower_bound(bucket)) for bucket in range(1, BUCKETS)] == list(range(1, BUCKETS))


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-12, 1e9])
def test_what_is_outside_goes_to_the_ends(seconds: float) -> None:
    assert bucket_of(seconds) in (0, BUCKETS - 1)


def test_quantiles_are_near_those_of_the_values() -> None:
    chance = random.Random(7)
    values = sorted(chance.lognormvariate(-6, 1.5) for _ in range(5000))
    counts = [0.0] * BUCKETS
    for value in values:
        counts[bucket_of(value)] += 1
    for share in (0.5, 0.9, 0.99):
        assert quantile(counts, share) == pytest.approx(values[int(share * len(values))], rel=0.06)


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile([0.0] * BUCKETS, 0.99) == 0.0


def test_cumulative_counts_rise_to_the_total() -> None:
    counts = [0.0] * BUCKETS
    for seconds in (0.0004, 0.003, 0.003, 0.7, 50.0):
        counts[bucket_of(seconds)] += 1
    assert cumulative(counts, (0.001, 0.005, 1.0, 60.0)) == [1.0, 3.0, 4.0, 5.0]

"""tokens = min(burst, tokens + elapsed * rate), a call is admitted when there is one, and time is the test's."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.token_bucket import TokenBuckets


def wait_s(buckets: TokenBuckets, key: str, at: float) -> float:
    """0.0 when a token was taken."""
    return max(0.0, -buckets.take(key, at))


def admitted(buckets: TokenBuckets, times: list[float]) -> list[float]:
    return [at for at in times if buckets.take("k", at) > 0.0]


def test_a_full_bucket_of_three_admits_three_of_nine_at_once() -> None:
    buckets = TokenBuckets(rate=6.0, burst=3.0)
    assert admitted(buckets, [0.0] * 9) == [0.0] * 3


def test_nine_calls_spread_over_a_second_are_admitted_but_one() -> None:
    buckets = TokenBuckets(rate=6.0, burst=3.0)
    assert len(admitted(buckets, [i / 9 for i in range(9)])) == 8


def test_waits_grow_by_one_interval_for_each_call_refused_in_a_row() -> None:
    buckets = TokenBuckets(rate=6.0, burst=3.0)
    for _ in range(3):
        buckets.take("k", 0.0)
    assert wait_s(buckets, "k", 0.0) == pytest.approx(1 / 6)
    assert wait_s(buckets, "k", 0.1) == pytest.approx(1 / 6 - 0.1)


def test_an_empty_bucket_at_half_a_token_a_second_admits_two_in_five_seconds() -> None:
    buckets = TokenBuckets(rate=0.5, burst=1.0)
    buckets.take("k", 0.0)
    assert admitted(buckets, [i / 5 for i in range(1, 26)]) == pytest.approx([2.0, 4.0])


@given(
    rate=st.floats(0.01, 1000),
    burst=st.integers(1, 500),
    steps=st.lists(st.floats(0, 100), max_size=60),
)
def test_tokens_stay_between_nothing_and_the_burst(rate: float, burst: int, steps: list[float]) -> None:
    buckets, now = TokenBuckets(rate, burst), 0.0
    for step in steps:
        now += step
        before = buckets.left("k", now)
        full_in_s = buckets.take("k", now)
        after = buckets.left("k", now)
        assert 0.0 <= after <= burst
        assert (full_in_s > 0.0) == (before >= 1.0 - 1e-5)
        assert after == pytest.approx(before - 1.0 if full_in_s > 0.0 else before, abs=1e-5)
        if full_in_s > 0.0:
            assert full_in_s == pytest.approx(buckets.reset_s("k", now))
        else:
            assert -full_in_s == pytest.approx(buckets.wait_s("k", now))


def test_no_window_admits_more_than_its_burst_and_its_rate() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    buckets, now, times = TokenBuckets(rate=10.0, burst=5.0), 0.0, []
    for _ in range(2000):
        now += chance.expovariate(40.0)
        times.append(now)
    passed = admitted(buckets, times)
    for start in range(0, len(passed), 7):
        for end in range(start, min(start + 100, len(passed))):
            assert end - start + 1 <= 5 + 10.0 * (passed[end] - passed[start]) + 1e-6
    assert len(passed) >= 10.0 * now * 0.95


def test_a_caller_refused_comes_back_when_told_and_is_admitted() -> None:
    buckets = TokenBuckets(rate=3.0, burst=1.0)
    buckets.take("k", 10.0)
    assert buckets.take("k", 10.1 + wait_s(buckets, "k", 10.1)) > 0.0


def test_keys_do_not_share() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1.0)
    assert [buckets.take(key, 0.0) > 0.0 for key in ("a", "b", "a")] == [True, True, False]


def test_a_refused_call_takes_nothing() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1.0)
    buckets.take("k", 0.0)
    for _ in range(50):
        buckets.take("k", 0.5)
    assert buckets.take("k", 1.0) > 0.0


def test_of_too_many_keys_the_least_recently_used_is_dropped_and_counted() -> None:
    buckets = TokenBuckets(rate=1.0, burst=2.0, max_keys=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, 0.0)
    assert (buckets.keys, buckets.dropped) == (2, 1)
    assert wait_s(buckets, "a", 0.0) > 0.0  # kept: spent twice
    assert wait_s(buckets, "b", 0.0) == 0.0  # dropped: full again


def test_rate_and_burst_are_divided_among_the_live_workers() -> None:
    buckets = TokenBuckets(rate=100.0, burst=8.0, workers=4)
    assert len(admitted(buckets, [0.0] * 10)) == 2
    assert len(admitted(buckets, [1.0] * 10)) == 2
    buckets.share(1)
    assert len(admitted(buckets, [2.0] * 10)) == 8


def test_a_share_of_the_burst_is_at_least_one_call() -> None:
    buckets = TokenBuckets(rate=4.0, burst=1.0, workers=4)
    assert admitted(buckets, [0.0, 0.5, 1.0]) == [0.0, 1.0]


def test_what_another_has_spent_counts_as_spent_here() -> None:
    old, new = TokenBuckets(rate=1.0, burst=3.0), TokenBuckets(rate=1.0, burst=3.0)
    for _ in range(2):
        old.take("both", 10.0)
    old.take("once", 10.0)
    old.take("long ago", 1.0)
    new.take("both", 10.0)
    assert [key for key, _ in old.spent(10.0)] == ["both", "once"]
    new.adopt(old.spent(10.0), 10.0)
    assert [new.left(key, 10.0) for key in ("both", "once", "long ago", "other")] == [0.0, 2.0, 3.0, 3.0]
    for _ in range(3):
        new.take("once", 10.0)
    new.adopt(old.spent(10.0), 10.0)
    assert new.left("once", 10.0) == 0.0
    assert wait_s(new, "once", 10.0) == pytest.approx(1.0), "no deeper than empty"


def test_adopting_keeps_to_the_bound_of_keys() -> None:
    old, new = TokenBuckets(rate=1.0, burst=3.0), TokenBuckets(rate=1.0, burst=3.0, max_keys=2)
    for key in "abc":
        old.take(key, 10.0)
    new.adopt(old.spent(10.0), 10.0)
    assert ([key for key, _ in new.spent(10.0)], new.dropped) == (["b", "c"], 1)

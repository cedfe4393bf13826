"""What a RateLimit counts by, as its document says."""

import pytest

from gateway.filters.counting import budget_of, local_counts, quota_of
from gateway.limits.in_flight import InFlight
from gateway.limits.quota import Quotas
from gateway.limits.sliding_window import SlidingWindows
from gateway.plan import Parts
from meshway.model.rate_limit import Cost, Quota, RateLimit, SlidingWindow, TokenBucket
from meshway.model.rate_limit import InFlight as InFlightSpec
from meshway.units import Duration, Rate


def parts(workers: int = 1) -> Parts:
    return Parts(now=lambda: 0.0, random=lambda: 0.0, workers=workers, wall=lambda: 0.0)


def bucket(rate: float, burst: int | None = None, **fields: object) -> RateLimit:
    return RateLimit(token_bucket=TokenBucket(rate=Rate(rate), burst=burst), **fields)  # type: ignore[arg-type]


def test_without_a_burst_a_seconds_worth_of_the_rate_is_one() -> None:
    assert [quota_of(bucket(rate)) for rate in (3.0, 0.1)] == [(3, 1), (1, 10)]
    assert local_counts(bucket(3.0), parts()).left("k", 0.0) == 3.0


def test_a_window_counts_as_its_document_says_among_so_many_workers() -> None:
    spec = SlidingWindow(limit=9, window=Duration(60), segments=6)
    counts = local_counts(RateLimit(sliding_window=spec, max_keys=7), parts(2))
    assert isinstance(counts, SlidingWindows)
    assert counts.left("k", 0.0) == 4.0
    assert counts.take("k", 1.0) == 69.0
    assert quota_of(RateLimit(sliding_window=spec)) == (9, 60)


def test_a_quota_is_counted_by_the_calendar() -> None:
    policy = RateLimit(quota=Quota(limit=9, per="month"))
    counts = local_counts(policy, parts(2))
    assert isinstance(counts, Quotas)
    assert (counts.left("k", 0.0), counts.reset_s("k", 0.0)) == (4.0, 31 * 86_400.0)
    assert quota_of(policy) == (9, 0), "months are not equally long"
    budget = budget_of(policy, "l")
    assert (budget.kind, budget.limit, budget.window_s) == ("period", 9, 31 * 86_400.0)


def test_running_calls_are_counted_until_they_are_over() -> None:
    policy = RateLimit(in_flight=InFlightSpec(max=5))
    counts = local_counts(policy, parts(2))
    assert isinstance(counts, InFlight)
    assert counts.left("k", 0.0) == 2.0
    assert (budget_of(policy, "l").kind, quota_of(policy)) == ("running", (5, 0))


@pytest.mark.parametrize(("cost", "lends"), [(1, True), (2, False), (Cost(request_header="x"), False)])
def test_of_a_bucket_that_one_call_may_empty_nothing_is_lent(cost: int | Cost, lends: bool) -> None:
    assert budget_of(bucket(10.0, 10, cost=cost), "l").lends is lends


def test_a_workers_share_is_never_too_small_for_one_call() -> None:
    assert local_counts(bucket(10.0, 10, cost=4), parts(8)).wait_s("k", 0.0, 0, 4) == 0.0
    window = SlidingWindow(limit=10, window=Duration(60))
    assert local_counts(RateLimit(sliding_window=window, cost=4), parts(8)).wait_s("k", 0.0, 0, 4) == 0.0

"""What a RateLimit counts by, and what it says of itself."""

from gateway.filters.limit import Limit, local_counts, quota_of
from gateway.limits.sliding_window import SlidingWindows
from gateway.plan import Parts
from meshway.model.rate_limit import RateLimit, SlidingWindow, TokenBucket
from meshway.units import Duration, Rate


def bucket(rate: float, burst: int | None = None, **fields: object) -> RateLimit:
    return RateLimit(token_bucket=TokenBucket(rate=Rate(rate), burst=burst), **fields)  # type: ignore[arg-type]


def test_without_a_burst_a_seconds_worth_of_the_rate_is_one() -> None:
    assert [quota_of(bucket(rate)) for rate in (3.0, 0.1)] == [(3, 1), (1, 10)]
    assert local_counts(bucket(3.0), 1).left("k", 0.0) == 3.0


def test_a_window_counts_as_its_document_says_among_so_many_workers() -> None:
    spec = SlidingWindow(limit=9, window=Duration(60), segments=6)
    counts = local_counts(RateLimit(sliding_window=spec, max_keys=7), 2)
    assert isinstance(counts, SlidingWindows)
    assert counts.left("k", 0.0) == 4.0
    assert counts.take("k", 1.0) == 69.0
    assert quota_of(RateLimit(sliding_window=spec)) == (9, 60)


def test_only_who_enforces_and_has_patience_has_a_line() -> None:
    def has_line(**fields: object) -> bool:
        policy = bucket(1.0, **fields)  # type: ignore[arg-type]
        return Limit("l", policy, Parts(now=lambda: 0.0, random=lambda: 0.0)).line is not None

    assert [has_line(), has_line(max_wait=Duration(1)), has_line(max_wait=Duration(1), mode="audit")] == [
        False,
        True,
        False,
    ]

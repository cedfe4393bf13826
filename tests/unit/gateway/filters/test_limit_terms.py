"""What a RateLimit allows, as people are told."""

import pytest

from gateway.filters.limit_terms import seconds, terms_of
from meshway.model.rate_limit import InFlight, Quota, RateLimit, SlidingWindow, TokenBucket
from meshway.units import Duration, Rate


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({"token_bucket": TokenBucket(rate=Rate(10.0))}, "10/s, 10 at once"),
        ({"token_bucket": TokenBucket(rate=Rate(1 / 6), burst=3), "key": ("constant",)}, "10/m, 3 at once"),
        (
            {"sliding_window": SlidingWindow(limit=7, window=Duration(90.0)), "key": ("source_ip",)},
            "7 calls in any 1m30s for each source_ip",
        ),
        (
            {"quota": Quota(limit=9, per="month", timezone="Asia/Tokyo"), "key": ("claim.tenant", "route")},
            "9 calls a month (Asia/Tokyo) for each claim.tenant and route",
        ),
        ({"in_flight": InFlight(max=4)}, "4 calls at once"),
    ],
    ids=["bucket", "burst", "window", "quota", "running"],
)
def test_the_terms_of_a_limit_are_its_amount_its_time_and_its_key(fields: dict[str, object], terms: str) -> None:
    assert terms_of(RateLimit(**fields)) == terms  # type: ignore[arg-type]


def test_a_short_time_is_told_finely_and_a_long_one_as_people_say_it() -> None:
    assert [seconds(wait_s) for wait_s in (0.04, 3.21, 59.2, 3600.0, 86_399.5)] == ["0.0s", "3.2s", "1m", "1h", "24h"]

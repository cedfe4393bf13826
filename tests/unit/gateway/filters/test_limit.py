"""What a RateLimit says of itself, and whom it lets wait."""

import pytest

from gateway.filters.limit import Limit
from gateway.plan import Parts
from meshway.model.rate_limit import Cost, InFlight, Quota, RateLimit, TokenBucket
from meshway.units import Duration, Rate


def limit(**fields: object) -> Limit:
    spec: dict[str, object] = {"token_bucket": TokenBucket(rate=Rate(1.0), burst=3)}
    if "quota" in fields or "in_flight" in fields:
        spec = {}
    policy = RateLimit(**(spec | fields))  # type: ignore[arg-type]
    return Limit("l", policy, Parts(now=lambda: 0.0, random=lambda: 0.5, wall=lambda: 0.0))


def test_only_who_enforces_and_has_patience_has_a_line() -> None:
    has_line = [
        limit(**fields).line is not None
        for fields in ({}, {"max_wait": Duration(1)}, {"max_wait": Duration(1), "mode": "audit"})
    ]
    assert has_line == [False, True, False]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, b'RateLimit-Policy: "l";q=3;w=3\r\nRateLimit: "l";r=3;t=0\r\n'),
        ({"quota": Quota(limit=7, per="day")}, b'RateLimit-Policy: "l";q=7;w=86400\r\nRateLimit: "l";r=7;t=86400\r\n'),
        ({"quota": Quota(limit=7, per="month")}, b'RateLimit-Policy: "l";q=7\r\nRateLimit: "l";r=7;t=2678400\r\n'),
        (
            {"in_flight": InFlight(max=7)},
            b'RateLimit-Policy: "l";q=7;qu="concurrent-requests"\r\nRateLimit: "l";r=7\r\n',
        ),
    ],
    ids=["bucket", "day", "month", "running"],
)  # fmt: skip
def test_it_tells_what_is_left_and_when_all_is_there_again(fields: dict[str, object], told: bytes) -> None:
    assert limit(**fields).fields_now("k", 0.0) == told


def test_a_spent_quota_is_another_reason_and_comes_back_with_its_period_at_most_a_minute_later() -> None:
    spent = limit(quota=Quota(limit=7, per="day"))
    reply = spent.refusal("k", 86_400.0, 0.0, lambda: 0.5)
    assert (reply.reason, b"Retry-After: 86430\r\n" in reply.fields) == ("quota_exceeded", True)
    assert limit().refusal("k", 10.0, 0.0, lambda: 0.5).fields.startswith(b"Retry-After: 11\r\n")


def test_what_can_never_pass_is_told_no_time_to_come_back() -> None:
    reply = limit().refusal("k", float("inf"), 0.0, lambda: 0.5)
    assert b"Retry-After" not in reply.fields
    assert "never allows" in reply.detail


@pytest.mark.parametrize(
    ("fields", "is_plain"),
    [
        ({}, True),
        ({"cost": 2}, False),
        ({"cost": Cost(request_header="x")}, False),
        ({"in_flight": InFlight(max=1)}, False),
    ],
    ids=["one", "fixed", "told", "running"],
)  # fmt: skip
def test_all_calls_are_the_same_to_a_limit_that_counts_each_for_one(fields: dict[str, object], is_plain: bool) -> None:
    assert limit(**fields).is_plain is is_plain


def test_a_refusal_names_the_limit_what_it_allows_and_by_what_it_counts_but_no_value_of_it() -> None:
    each = limit(quota=Quota(limit=7, per="day"), key=("header.authorization", "route"))
    told = each.refusal("21:Bearer top-secret", 60.0, 0.0, lambda: 0.0)
    said = "rate limit l (7 calls a day (UTC) for each header.authorization and route)"
    assert told.detail == f"{said} is spent for now"
    assert each.refusal(None, 0.0, 0.0, lambda: 0.0).detail == f"{said}: the call lacks header.authorization and route"

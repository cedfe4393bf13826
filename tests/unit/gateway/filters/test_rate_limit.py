"""A spent key is refused and told when to come back; every answer says what is left."""

import pytest

from gateway.exchange import Exchange, Reply
from gateway.filters.rate_limit import AppliedLimit, Limit, compile_filter
from gateway.plan import Parts, RequestFilter
from meshway.model.rate_limit import LimitResponse, RateLimit, TokenBucket
from meshway.units import Rate
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.limits import limit


def compiled(clock: ManualClock, *limits: AppliedLimit, chance: float = 0.0) -> RequestFilter:
    return compile_filter(limits, Parts(now=clock, random=lambda: chance))


def refused(verdict: object) -> Reply:
    assert isinstance(verdict, Reply)
    return verdict


def passed(rate_limit: RequestFilter, exchange: Exchange | None = None) -> bool:
    return rate_limit(exchange or call()) is None


def test_a_spent_key_is_refused_and_told_when_to_come_back() -> None:
    clock = ManualClock()
    rate_limit = compiled(clock, limit())
    assert [passed(rate_limit) for _ in range(2)] == [True, True]
    reply = refused(rate_limit(call()))
    assert (reply.status, reply.reason, reply.flag) == (429, "rate_limited", "RL")
    assert reply.fields == (
        b'Retry-After: 5\r\nRateLimit-Policy: "checkout";q=2;w=10\r\nRateLimit: "checkout";r=0;t=10\r\n'
    )
    clock.advance(5.0)
    assert passed(rate_limit)


def test_an_admitted_caller_is_told_what_is_left() -> None:
    exchange = call()
    compiled(ManualClock(), limit())(exchange)
    assert exchange.added == b'RateLimit-Policy: "checkout";q=2;w=10\r\nRateLimit: "checkout";r=1;t=5\r\n'


def test_the_time_to_come_back_is_spread_by_a_tenth_and_never_too_early() -> None:
    rate_limit = compiled(ManualClock(), limit(rate=0.01, burst=1), chance=0.999)
    rate_limit(call())
    assert b"Retry-After: 110\r\n" in refused(rate_limit(call())).fields


def test_fields_are_left_out_when_the_policy_says_so_and_the_status_is_the_policys() -> None:
    rate_limit = compiled(ManualClock(), limit(burst=1, response=LimitResponse(status=503, headers=False)))
    exchange = call()
    rate_limit(exchange)
    assert exchange.added == b""
    reply = refused(rate_limit(call()))
    assert (reply.status, reply.fields) == (503, b"")


def test_of_several_limits_all_are_checked_before_any_is_spent() -> None:
    wide, narrow = limit("wide", burst=10), limit("narrow", burst=1, key=("header.user",))
    rate_limit = compiled(ManualClock(), wide, narrow)
    ann = {"user": "ann"}
    assert passed(rate_limit, call(headers=ann))
    for _ in range(20):
        assert not passed(rate_limit, call(headers=ann))
    assert wide.limit.buckets.tokens("", 100.0) == pytest.approx(9.0)
    exchange = call(headers={"user": "bob"})
    assert passed(rate_limit, exchange)
    assert exchange.added.count(b"RateLimit: ") == 2


def test_keys_do_not_share() -> None:
    rate_limit = compiled(ManualClock(), limit(burst=1, key=("source_ip",)))
    assert passed(rate_limit, call(peer="10.0.0.1"))
    assert not passed(rate_limit, call(peer="10.0.0.1"))
    assert passed(rate_limit, call(peer="10.0.0.2"))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    ("on_missing", "verdicts"),
    [("shared", [True, False]), ("skip", [True, True]), ("reject", [False, False])],
)
def test_callers_without_the_key_share_pass_or_are_refused(
    on_missing: str, verdicts: list[bool], several: bool
) -> None:
    limits = [limit(burst=1, key=("header.user",), on_missing_key=on_missing)]
    limits += [limit("other", burst=100)] if several else []
    rate_limit = compiled(ManualClock(), *limits)
    assert [passed(rate_limit) for _ in range(2)] == verdicts


def test_audit_counts_what_it_would_refuse_and_refuses_nothing() -> None:
    audit = limit(burst=1, mode="audit")
    rate_limit = compiled(ManualClock(), audit)
    exchange = call()
    assert passed(rate_limit, exchange)
    assert [passed(rate_limit) for _ in range(3)] == [True] * 3
    assert audit.limit.would_refuse == 3
    assert exchange.added == b""


def test_without_a_burst_a_seconds_worth_of_the_rate_is_one() -> None:
    policy = RateLimit(token_bucket=TokenBucket(rate=Rate(3.0)))
    assert Limit("a", policy, 1).buckets.burst == 3.0
    assert Limit("a", RateLimit(token_bucket=TokenBucket(rate=Rate(0.1))), 1).buckets.burst == 1.0


def test_workers_share_and_say_their_own_share() -> None:
    applied = limit(rate=10.0, burst=8)
    applied.limit.buckets.share(4)
    exchange = call()
    compiled(ManualClock(), applied)(exchange)
    assert b'RateLimit-Policy: "checkout";q=8;w=1' in exchange.added
    assert b"r=1;" in exchange.added

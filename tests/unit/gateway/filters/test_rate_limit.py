"""A spent key is refused and told when to come back; every answer says what is left."""

from typing import Any

import pytest

from gateway.exchange import Exchange, Reply
from gateway.filters.limit import AppliedLimit
from gateway.filters.rate_limit import compile_filter, compile_forecast
from gateway.limits.desk import Desk
from gateway.plan import Forecast, Parts, RequestFilter
from gateway.verdict import Turn
from meshway.assignments.messages import Grant
from meshway.model.rate_limit import InFlight, LimitResponse, Quota
from meshway.units import Duration
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.limits import limit, other, window


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


def test_a_refusal_is_the_drafts_problem_unless_the_policy_has_a_body_of_its_own() -> None:
    rate_limit = compiled(ManualClock(), limit(burst=1))
    rate_limit(call())
    reply = refused(rate_limit(call()))
    assert reply.members == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "violated-policies": ["checkout"],
    }
    rate_limit = compiled(ManualClock(), limit(burst=1, response=LimitResponse(body="slow down")))
    rate_limit(call())
    reply = refused(rate_limit(call()))
    assert reply.body == b"slow down"
    assert reply.fields.startswith(b"Content-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\n")


def test_of_several_limits_all_are_checked_before_any_is_spent() -> None:
    wide, narrow = limit("wide", burst=10), limit("narrow", burst=1, key=("header.user",))
    rate_limit = compiled(ManualClock(), wide, narrow)
    ann = {"user": "ann"}
    assert passed(rate_limit, call(headers=ann))
    for _ in range(20):
        assert not passed(rate_limit, call(headers=ann))
    assert wide.limit.counts.left("", 100.0) == pytest.approx(9.0)
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


def test_workers_share_and_say_their_own_share() -> None:
    applied = limit(rate=10.0, burst=8)
    applied.limit.counts.share(4)
    exchange = call()
    compiled(ManualClock(), applied)(exchange)
    assert b'RateLimit-Policy: "checkout";q=8;w=1' in exchange.added
    assert b"r=1;" in exchange.added


class Caller:
    """A call in line. told: b"" once it may go on, else its refusal; None while it waits."""

    told: Reply | bytes | None = None

    def __init__(self, rate_limit: RequestFilter, **fields: Any) -> None:
        self.exchange = call(**fields)
        verdict = rate_limit(self.exchange)
        self.turn = verdict if isinstance(verdict, Turn) else None
        if self.turn is not None:
            self.turn.wait(self._resume)
        else:
            assert verdict is None or isinstance(verdict, Reply)
            self._resume(verdict)

    def _resume(self, reply: Reply | None) -> None:
        self.told = b"" if reply is None else reply


def advance(parts: Parts, clock: ManualClock, seconds: float) -> None:
    for _ in range(round(seconds * 100)):
        clock.advance(0.01)
        for each in tuple(parts.advancing):
            each.advance(clock())


def waiting_parts() -> tuple[Parts, ManualClock]:
    clock = ManualClock()
    return Parts(now=clock, random=lambda: 0.0), clock


def test_with_max_wait_calls_above_the_limit_wait_in_order_instead_of_being_refused() -> None:
    parts, clock = waiting_parts()
    patient = limit(rate=2.0, burst=1, parts=parts, max_wait=Duration(1.2))
    rate_limit = compile_filter([patient], parts)
    first, second, third, fourth = (Caller(rate_limit) for _ in range(4))
    assert (first.told, second.told, third.told) == (b"", None, None)
    assert refused(fourth.told).fields.startswith(b"Retry-After: 2\r\n")  # its turn would come after 1.5 s
    advance(parts, clock, 0.52)
    assert (second.told, third.told) == (b"", None)
    assert b"RateLimit: " in second.exchange.added
    advance(parts, clock, 0.52)
    assert third.told == b""


def test_a_full_line_refuses_and_a_caller_who_leaves_makes_room() -> None:
    parts, clock = waiting_parts()
    patient = limit(rate=1.0, burst=1, parts=parts, max_wait=Duration(30), max_queue=2)
    rate_limit = compile_filter([patient], parts)
    _, second, third, fourth = (Caller(rate_limit) for _ in range(4))
    assert refused(fourth.told).reason == "rate_limited"
    assert second.turn is not None
    second.turn.leave()
    fifth = Caller(rate_limit)
    advance(parts, clock, 2.05)
    assert (second.told, third.told, fifth.told) == (None, b"", b"")


def test_a_call_under_two_limits_waits_for_both_and_stays_in_no_line_once_one_refuses() -> None:
    parts, clock = waiting_parts()
    slow = limit("slow", rate=0.5, burst=1, parts=parts, max_wait=Duration(10))
    quick = limit("quick", rate=2.0, burst=1, parts=parts, max_wait=Duration(10))
    rate_limit = compile_filter([slow, quick], parts)
    assert Caller(rate_limit).told == b""
    both = Caller(rate_limit)
    told = []
    for _ in range(2):
        advance(parts, clock, 1.03)
        told.append(both.told)
    assert told == [None, b""]
    assert both.exchange.added.count(b"RateLimit: ") == 2
    refusing = Caller(rate_limit)
    assert slow.limit.line is not None
    slow.limit.line.refuse("", 3.0)
    assert refused(refusing.told).detail == "rate limit default/slow (30/m, 1 at once) is spent for now"
    assert quick.limit.line is not None
    assert quick.limit.line.waiting == 0


def test_a_window_is_counted_told_and_refused_like_a_bucket() -> None:
    clock = ManualClock()
    rate_limit = compiled(clock, window(calls=2))
    exchange = call()
    assert passed(rate_limit, exchange)
    assert exchange.added == b'RateLimit-Policy: "checkout";q=2;w=10\r\nRateLimit: "checkout";r=1;t=10\r\n'
    clock.advance(4.0)
    assert passed(rate_limit)
    reply = refused(rate_limit(call()))
    assert reply.fields.startswith(b"Retry-After: 6\r\n")
    assert reply.policy == "RateLimit default/checkout"


def test_a_forecast_tells_how_a_limit_stands_and_spends_nothing() -> None:
    parts, _ = waiting_parts()
    full, spent = limit("full", parts=parts), limit("spent", burst=1, parts=parts)
    waits = limit("waits", rate=1.0, burst=1, parts=parts, max_wait=Duration(5))
    audit = limit("audit", burst=1, parts=parts, mode="audit")
    lacking = limit("lacking", parts=parts, key=("header.user",), on_missing_key="skip")
    for each in (spent, waits, audit):
        each.limit.counts.spend("", parts.now())
    for _ in range(3):
        told = compile_forecast([full, spent, waits, audit, lacking], parts)(call())
        assert [(each.document, each.verdict) for each in told] == [
            ("RateLimit default/full", "pass"),
            ("RateLimit default/spent", "refuse"),
            ("RateLimit default/waits", "delay"),
            ("RateLimit default/audit", "pass"),
            ("RateLimit default/lacking", "pass"),
        ]
    assert told[0].detail == "2 of 2 left in this worker, whole again in 0.0s"
    assert told[1].detail == "0 of 1 left in this worker, whole again in 5.0s: 429; there is more in 5.0s"
    assert refused(told[1].reply).status == 429


def shared_parts(lost: str = "") -> tuple[Parts, ManualClock, Desk]:
    """Nobody answers the desk."""
    clock = ManualClock()
    desk = Desk("1", lambda number, budgets, asks: None, lambda flush: None, clock, workers=1, lost=lost)
    return Parts(now=clock, random=lambda: 0.0, desks={"mesh": desk}), clock, desk


DAY = {"quota": Quota(limit=5, per="day")}
AT_ONCE = {"in_flight": InFlight(max=5)}
FIVE = "5 of 5 calls"


def running_forecast(applied: AppliedLimit, parts: Parts, running: int) -> Forecast:
    for _ in range(running):
        applied.limit.counts.spend("", parts.now())
    (told,) = compile_forecast([applied], parts)(call())
    return told


def test_a_forecast_tells_that_all_places_are_taken() -> None:
    parts, _ = waiting_parts()
    applied = other(parts, in_flight=InFlight(max=2))
    assert running_forecast(applied, parts, 1)[:2] == ("pass", "1 of 2 calls run in this worker")
    told = running_forecast(applied, parts, 1)
    assert told[:2] == ("refuse", "2 of 2 calls run in this worker: 429; there is room when one of them ends")
    assert refused(told.reply).detail == "rate limit default/checkout (2 calls at once) is spent for now"


@pytest.mark.parametrize(
    ("spec", "left", "verdict", "detail"),
    [
        (DAY, 0.0, "refuse", "0 of 5 left in all gateways, whole again in 24h: 429; there is more in 24h"),
        (DAY, 3.0, "pass", "3 of 5 left in all gateways, whole again in 24h"),
        (AT_ONCE, 0.0, "refuse", f"{FIVE} run in all gateways: 429; there is room when one of them ends"),
        (AT_ONCE, 3.0, "pass", "2 of 5 calls run in all gateways"),
    ],
    ids=["spent quota", "quota", "full places", "places"],
)  # fmt: skip
def test_a_forecast_of_a_shared_limit_asks_how_it_stands_and_never_says_delay_of_what_would_be_refused(
    spec: dict[str, Any], left: float, verdict: str, detail: str
) -> None:
    parts, _, desk = shared_parts()
    parts.wall = lambda: 0.0
    applied = other(parts, **spec)
    forecast = compile_forecast([applied], parts)
    assert forecast(call())[0].verdict == "pass", "it has not heard of anybody's call"
    assert desk.is_asking
    desk.flush()
    period = applied.limit.counts.budget.period  # type: ignore[attr-defined]
    again_s = 0.0 if left else 1.0
    desk.answered(1, [Grant(count=0, left=left, reset_s=0.0, again_s=again_s, keep_s=0.2, mark=period)], 8)
    told = forecast(call())[0]
    assert (told.verdict, told.detail) == (verdict, detail)
    assert (told.reply is not None) == (verdict == "refuse")


def test_a_forecast_tells_of_the_last_calls_that_others_hold() -> None:
    parts, _, desk = shared_parts()
    applied = other(parts, quota=Quota(limit=5, per="day"))
    forecast = compile_forecast([applied], parts)
    forecast(call())
    desk.flush()
    period = applied.limit.counts.budget.period  # type: ignore[attr-defined]
    desk.answered(1, [Grant(count=0, left=0.0, reset_s=0.0, again_s=0.05, keep_s=0.2, mark=period, others=2)], 8)
    told = forecast(call())[0]
    assert (told.verdict, "; 2 of it are held by others" in told.detail) == ("may refuse", True)


def test_a_forecast_of_a_shared_limit_with_patience_says_how_long_at_least() -> None:
    parts, _, desk = shared_parts()
    applied = limit("waits", rate=1.0, burst=1, parts=parts, max_wait=Duration(5))
    forecast = compile_forecast([applied], parts)
    forecast(call())
    desk.flush()
    desk.answered(1, [Grant(count=0, left=0.0, reset_s=1.0, again_s=1.0, keep_s=0.2)], 8)
    told = forecast(call())[0]
    assert (told.verdict, "waits at least 1.0s" in told.detail) == ("delay", True)


def test_the_first_calls_of_a_shared_limit_wait_for_nobody_and_the_next_for_the_answer() -> None:
    parts, _, desk = shared_parts()
    rate_limit = compile_filter([limit(rate=1.0, burst=12, parts=parts)], parts)
    first, second, third = (Caller(rate_limit) for _ in range(3))
    assert (first.told, second.told, third.told) == (b"", b"", None)
    assert b'RateLimit-Policy: "checkout";q=12;w=12' in first.exchange.added
    desk.flush()
    desk.answered(1, [Grant(count=3, left=0.0, reset_s=12.0, again_s=1.0, keep_s=0.2)], 1)
    assert [third.told, *(Caller(rate_limit).told for _ in range(2))] == [b""] * 3, "paid back, and two on loan again"
    assert refused(Caller(rate_limit).told).fields.startswith(b"Retry-After: 1\r\n")


@pytest.mark.parametrize(
    ("on_failure", "statuses"), [("local_share", [200, 200, 429]), ("open", [200] * 3), ("closed", [503] * 3)]
)
def test_while_nobody_can_count_for_all_the_policy_decides(on_failure: str, statuses: list[int]) -> None:
    parts, _, _ = shared_parts(lost="the registry is away")
    rate_limit = compile_filter([limit(rate=1.0, burst=2, parts=parts, on_store_failure=on_failure)], parts)
    told = [Caller(rate_limit).told for _ in range(3)]
    assert [each.status if isinstance(each, Reply) else 200 for each in told] == statuses
    if on_failure == "closed":
        assert (refused(told[0]).reason, refused(told[0]).fields) == ("policy_unavailable", b"Retry-After: 1\r\n")
        assert "the registry is away" in refused(told[0]).detail


def test_an_audited_shared_limit_makes_nobody_wait_and_counts_what_the_store_would_have_refused() -> None:
    parts, _, desk = shared_parts()
    audited = limit(rate=1.0, burst=1, parts=parts, mode="audit")
    rate_limit = compile_filter([audited], parts)
    assert [Caller(rate_limit).told for _ in range(2)] == [b"", b""]
    desk.flush()
    desk.answered(1, [Grant(count=0, left=0.0, reset_s=1.0, again_s=1.0, keep_s=0.2)], 1)
    assert Caller(rate_limit).told == b""
    assert audited.limit.tallies() == (1, 0, 0, 0)


def test_scope_says_with_whom_a_limit_counts() -> None:
    parts, _, desk = shared_parts(lost="away")
    here = Desk("1", lambda number, budgets, asks: None, lambda flush: None, parts.now, workers=1)
    parts.desks = {"mesh": desk, "gateway": here}
    mesh, host = limit(parts=parts, rate=1.0, burst=8), limit(parts=parts, rate=1.0, burst=8, scope="gateway")
    for each in (mesh, host):
        assert Caller(compile_filter([each], parts)).told == b""
    assert (mesh.limit.tallies()[1], host.limit.tallies()[1]) == (1, 0)

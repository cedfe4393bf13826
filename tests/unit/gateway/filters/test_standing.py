"""What a limit hears of a call after its filter has run."""

from gateway.exchange import Exchange
from gateway.filters.limit import AppliedLimit, Counted
from gateway.filters.standing import Standing, compile_cost_removal, compile_settling, tell
from gateway.plan import Parts
from meshway.http1.message import ResponseHead
from meshway.model.rate_limit import Cost
from tests.parts.calls import call
from tests.parts.limits import limit
from tests.parts.playbook import read_answer

NOW = 0.0
COST = Cost(response_header="X-Cost")


def answer(fields: str) -> ResponseHead:
    return read_answer(f"HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n")


def counted(applied: AppliedLimit, cost: int = 1) -> Counted:
    applied.limit.counts.spend("", NOW, cost)
    return Counted(applied.limit, "", cost)


def left(applied: AppliedLimit) -> float:
    return round(applied.limit.counts.left("", NOW), 3)


def standing(exchange: Exchange, *admitted: Counted) -> Standing:
    made = Standing(exchange, list(admitted), [], Parts(now=lambda: NOW, random=lambda: 0.0))
    heard: list[object] = []
    made.wait(heard.append)
    assert heard == [None], "it stands in no line"
    return made


def test_the_tightest_limit_is_told_first_and_one_that_only_audits_not_at_all() -> None:
    exchange = call()
    wide, tight, audited = limit("wide", burst=9), limit("tight", burst=3), limit("audited", mode="audit")
    tell(exchange, [counted(each) for each in (wide, tight, audited)], NOW)
    assert [line.split(b";")[0] for line in exchange.added.splitlines()[::2]] == [
        b'RateLimit-Policy: "tight"', b'RateLimit-Policy: "wide"',
    ]  # fmt: skip


def test_an_answer_that_says_what_its_call_was_worth_is_counted_once() -> None:
    applied, exchange = limit(burst=9, cost=COST), call()
    standing(exchange, counted(applied))
    settle = compile_settling([applied], lambda: NOW)
    assert settle is not None
    for _ in range(2):
        settle(exchange, answer("X-Cost: 4\r\n"))
    assert left(applied) == 5.0


def test_a_call_that_is_over_without_an_answer_is_not_waited_for() -> None:
    applied, exchange = limit(burst=9, cost=COST), call()
    standing(exchange, counted(applied)).leave()
    assert (left(applied), applied.limit.counted) == (8.0, {})


def test_where_no_limit_asks_the_answer_nothing_is_done_with_it() -> None:
    assert compile_settling([limit()], lambda: NOW) is None
    assert compile_cost_removal([limit(), limit(cost=Cost(request_header="X-Cost"))]) is None


def test_the_cost_that_a_service_tells_is_not_passed_on() -> None:
    take_out = compile_cost_removal([limit(cost=COST)])
    assert take_out is not None
    head = answer("Content-Type: text/plain\r\nx-cost: 4\r\n")
    take_out(head)
    assert head.block == b"Content-Type: text/plain\r\n"

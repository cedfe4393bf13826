"""Attempts beside each other: the first answer wins, and nobody is blamed for having been slower."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from gateway.exchange import NEVER
from gateway.plan import HedgePlan, RetryPlan, RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import AdaptiveSettings, BudgetSettings, BulkheadSettings
from gateway.upstream.endpoint import Endpoint
from tests.parts.one_route import cluster, endpoint, plan, retry_plan
from tests.parts.playbook import FakeUpstream, Playbook


def hedging(
    after_s: float = 0.1, most: int = 1, retry: RetryPlan | None = None, **timeouts: float
) -> Callable[[Cluster], RoutePlan]:
    hedge = HedgePlan(most, lambda _: after_s)
    return lambda target: plan(target, hedge=hedge, retry=retry, **timeouts)  # type: ignore[arg-type]


def hedged(book: Playbook) -> tuple[FakeUpstream, FakeUpstream]:
    """A call that runs on a and, since nothing came, on b."""
    book.request()
    first = book.connect()
    book.pass_time(0.1)
    return first, book.connect()


def test_a_call_without_an_answer_is_asked_of_another_endpoint_and_the_first_answer_wins() -> None:
    book = Playbook(make_plan=hedging())
    first, second = hedged(book)
    assert (first.endpoint.id, second.endpoint.id) == ("a", "b")
    assert b"meshway-attempt: 2\r\n" in second.fields
    second.answer(200, b"two")
    assert book.told == [("head", 200, b"two", "ended")]
    assert first.is_closed
    exchange = book.last()
    assert exchange.endpoint is second.endpoint
    assert [each.id for each in exchange.tried] == ["a"]
    book.assert_nothing_is_held()


def test_the_first_attempt_may_win_and_the_hedge_is_cancelled() -> None:
    book = Playbook(make_plan=hedging())
    first, second = hedged(book)
    first.answer(200, b"one", ended=False)
    assert second.is_closed
    assert not first.is_closed
    first.end()
    exchange = book.last()
    assert exchange.endpoint is first.endpoint
    assert ([each.id for each in exchange.tried], exchange.attempts) == (["a", "b"], 2)
    book.assert_nothing_is_held()


def test_a_loser_that_is_still_connecting_is_given_up() -> None:
    book = Playbook(make_plan=hedging())
    book.request()
    first = book.connect()
    book.pass_time(0.1)
    (opening,) = book.openings
    first.answer()
    assert opening.is_abandoned
    book.assert_nothing_is_held()


def test_an_answer_in_time_is_not_hedged() -> None:
    book = Playbook(make_plan=hedging())
    book.request()
    book.pass_time(0.05)
    book.connect().answer(ended=False)
    book.pass_time(1.0)
    assert book.openings == []


@pytest.mark.parametrize(
    ("method", "fields", "is_hedged"),
    [
        ("GET", "", True),
        ("PUT", "Content-Length: 0\r\n", True),
        ("POST", "Content-Length: 0\r\n", False),
        ("POST", "Content-Length: 0\r\nIdempotency-Key: k\r\n", True),
        ("GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n", False),
    ],
)
def test_only_what_may_be_carried_out_twice_is_hedged(method: str, fields: str, is_hedged: bool) -> None:
    book = Playbook(make_plan=hedging(retry=retry_plan(non_idempotent=True)))
    book.request(method, fields=fields)
    book.connect()
    book.pass_time(0.5)
    assert bool(book.openings) is is_hedged


def test_a_body_is_sent_again_and_one_that_is_not_whole_is_not_hedged() -> None:
    book = Playbook(make_plan=hedging())
    book.request("PUT", fields="Content-Length: 4\r\n", first=b"body")
    book.connect()
    book.pass_time(0.1)
    assert book.connect().told == [("request", b"body", "ended")]
    other = Playbook(make_plan=hedging())
    other.request("PUT", fields="Content-Length: 9\r\n", first=b"body", ended=False)
    other.connect()
    other.pass_time(0.5)
    assert other.openings == []


def test_no_more_than_the_most_run_and_none_on_an_endpoint_that_was_asked() -> None:
    three = tuple(endpoint(port, name) for port, name in enumerate("abc", 1))
    book = Playbook(endpoints=three, make_plan=hedging(most=2))
    book.request()
    book.connect()
    book.pass_time(0.1)
    book.connect()
    book.pass_time(0.1)
    last = book.connect()
    assert {each.endpoint.id for each in book.upstreams} == {"a", "b", "c"}
    book.pass_time(0.5)
    assert book.openings == []
    last.answer()
    assert [each.is_closed for each in book.upstreams] == [True, True, False]
    book.assert_nothing_is_held()
    alone = Playbook(endpoints=three[:1], make_plan=hedging())
    alone.request()
    alone.connect()
    alone.pass_time(0.5)
    assert alone.openings == []


def test_without_budget_there_is_no_hedge() -> None:
    def poor(*endpoints: object, **more: object) -> Cluster:
        return cluster(*endpoints, budget=BudgetSettings(0.0, 0.0), **more)  # type: ignore[arg-type]

    book = Playbook(make_cluster=poor, make_plan=hedging())
    book.request()
    book.connect()
    book.pass_time(0.5)
    assert book.openings == []


@pytest.mark.parametrize(
    ("bulkhead", "is_hedged"), [(BulkheadSettings(1, 8, 1.0), False), (BulkheadSettings(2, 8, 1.0), True)]
)
def test_a_service_that_has_its_most_calls_is_not_hedged(bulkhead: BulkheadSettings, is_hedged: bool) -> None:
    book = Playbook(make_cluster=partial(cluster, bulkhead=bulkhead), make_plan=hedging())
    book.request()
    book.connect()
    book.pass_time(0.5)
    assert bool(book.openings) is is_hedged


@pytest.mark.parametrize(("most", "is_hedged"), [(1, False), (2, True)])
def test_a_service_that_runs_all_it_can_is_not_hedged(most: int, is_hedged: bool) -> None:
    def learning(*endpoints: Endpoint, now: Callable[[], float]) -> Cluster:
        made = cluster(*endpoints, now=now)
        made.configure(replace(made.settings, adaptive=AdaptiveSettings(2.0, 1, most, 0.1, 20)))
        return made

    book = Playbook(make_cluster=learning, make_plan=hedging())
    book.request()
    book.connect()
    book.pass_time(0.5)
    assert bool(book.openings) is is_hedged


@pytest.mark.parametrize("first_fails", [True, False])
def test_while_one_runs_the_others_failure_is_not_the_calls(first_fails: bool) -> None:
    book = Playbook(make_plan=hedging(retry=retry_plan(conditions=frozenset({"reset"}))))
    failing, running = hedged(book) if first_fails else reversed(hedged(book))
    failing.fail()
    book.pass_time(0.5)
    assert book.told == []
    assert book.openings == []
    running.answer(200, b"good")
    assert book.told == [("head", 200, b"good", "ended")]
    book.assert_nothing_is_held()


def test_when_all_failed_the_call_is_retried_and_then_answered() -> None:
    book = Playbook(make_plan=hedging(retry=retry_plan(conditions=frozenset({"reset"}))))
    for upstream in hedged(book):
        upstream.fail()
    book.pass_time(0.1)
    book.connect().fail()
    assert book.told == [("reply", 502, "upstream_reset", "UC,URX")]
    book.assert_nothing_is_held()


def test_a_listed_status_waits_for_the_others_answer() -> None:
    book = Playbook(make_plan=hedging(retry=retry_plan(statuses=frozenset({503}), max_retries=1)))
    first, second = hedged(book)
    first.answer(503, fields="Retry-After: 600\r\n")  # longer than any retry would wait
    assert book.told == []
    second.answer(200, b"good")
    assert book.told == [("head", 200, b"good", "ended")]
    book.assert_nothing_is_held()


def test_a_deadline_blames_the_attempt_that_had_the_time_and_ends_both() -> None:
    outcomes: list[tuple[str, str]] = []
    book = Playbook(make_plan=hedging(deadline_s=0.3))
    book.cluster.observe = lambda place, outcome, status, latency_s, now: outcomes.append((place.id, outcome))
    first, second = hedged(book)
    book.pass_time(0.3)
    assert book.told == [("reply", 504, "deadline_exceeded", "DT")]
    assert outcomes == [("a", "attempt_timeout"), ("b", "cancelled")]
    assert first.is_closed
    assert second.is_closed
    book.assert_nothing_is_held()


def test_a_caller_who_leaves_ends_both() -> None:
    book = Playbook(make_plan=hedging())
    call = book.request()
    first = book.connect()
    book.pass_time(0.1)
    second = book.connect()
    call.on_gone()
    assert first.is_closed
    assert second.is_closed
    book.assert_nothing_is_held()


def test_what_is_learnt_is_how_long_the_caller_waited() -> None:
    learnt: list[float] = []
    waits = [NEVER, 0.1]
    hedge = HedgePlan(1, lambda _: waits.pop(0), lambda seconds, now: learnt.append(round(seconds, 2)))
    book = Playbook(make_plan=lambda target: plan(target, hedge=hedge))
    book.request()
    upstream = book.connect()
    book.pass_time(0.28)
    upstream.answer()
    assert (learnt, book.openings) == ([0.3], [])
    book.request()
    book.pass_time(0.1)
    book.connect().answer()
    assert learnt[1:] == [0.12]

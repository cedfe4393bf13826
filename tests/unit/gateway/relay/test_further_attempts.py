from collections.abc import Callable

import pytest

from gateway.plan import RetryPlan, RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import BudgetSettings
from tests.parts.one_route import DEFAULT_CONDITIONS, cluster, endpoint, plan, retry_plan
from tests.parts.playbook import FakeUpstream, Playbook

FIELDS = "Content-Length: 9\r\n"


def _retrying(retry: RetryPlan, **timeouts: float) -> Callable[[Cluster], RoutePlan]:
    return lambda target: plan(target, retry=retry, **timeouts)  # type: ignore[arg-type]


def _kept(book: Playbook) -> FakeUpstream:
    """A connection of endpoint a that was used before."""
    book.request()
    upstream = book.connect()
    upstream.answer()
    book.finished.clear()
    return upstream


def test_a_refused_connection_is_tried_on_the_other_endpoint_after_the_backoff() -> None:
    book = Playbook(make_plan=_retrying(retry_plan()))
    call = book.request(method="POST", fields=FIELDS, first=b"nine byte", ended=True)
    book.refuse()
    assert book.openings == []  # half of 25 ms to wait
    book.pass_time(0.02)
    upstream = book.connect()
    assert upstream.endpoint.id == "b"
    assert upstream.told == [("request", b"nine byte", "ended")]
    assert b"meshway-attempt: 2\r\n" in upstream.fields
    upstream.answer(201)
    assert book.told == [("head", 201, b"", "ended")]
    assert [tried.id for tried in call.exchange.tried] == ["a"]
    assert call.exchange.endpoint is upstream.endpoint


def test_when_retries_are_used_up_the_flag_says_so() -> None:
    book = Playbook(make_plan=_retrying(retry_plan()))
    book.request()
    book.refuse()
    book.pass_time(0.1)
    book.refuse()
    assert book.told == [("reply", 502, "connect_failed", "UF,URX")]
    book.assert_nothing_is_held()


def test_without_a_retry_policy_a_failure_is_final() -> None:
    book = Playbook()
    book.request()
    book.refuse()
    assert book.told == [("reply", 502, "connect_failed", "UF")]


@pytest.mark.parametrize(
    ("method", "fields", "non_idempotent", "is_repeated"),
    [
        ("GET", "", False, True),
        ("PUT", "", False, True),
        ("DELETE", "", False, True),
        ("POST", "", False, False),
        ("PATCH", "", False, False),
        ("POST", "Idempotency-Key: k1\r\n", False, True),
        ("POST", "", True, True),
    ],
)
def test_a_reset_is_repeated_only_when_that_does_no_harm(
    method: str, fields: str, non_idempotent: bool, is_repeated: bool
) -> None:
    conditions = DEFAULT_CONDITIONS | {"reset"}
    book = Playbook(make_plan=_retrying(retry_plan(conditions=conditions, non_idempotent=non_idempotent)))
    book.request(method=method, fields=fields)
    book.connect().fail("reset")
    book.pass_time(0.1)
    assert bool(book.openings) is is_repeated
    assert (book.told == [("reply", 502, "upstream_reset", "UC")]) is not is_repeated


def test_a_condition_that_is_not_listed_is_not_repeated() -> None:
    book = Playbook(make_plan=_retrying(retry_plan()))
    book.request()
    book.connect().fail("reset")
    assert book.told == [("reply", 502, "upstream_reset", "UC")]


def test_a_broken_answer_is_never_repeated() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(conditions=DEFAULT_CONDITIONS | {"reset"})))
    book.request()
    book.connect().fail("upstream_protocol")
    assert book.told == [("reply", 502, "upstream_protocol", "UPE")]


def test_a_stale_connection_is_replaced_at_once_on_the_same_endpoint_without_using_up_a_retry() -> None:
    book = Playbook(make_plan=_retrying(retry_plan()))
    stale = _kept(book)
    other = FakeUpstream(stale.endpoint)
    other.endpoint.idle.insert(0, other)  # an older idle one must not be taken: it may be as stale
    book.cluster.set_endpoints((stale.endpoint,))
    book.request()
    stale.fail("stale_connection")
    assert book.openings[0].endpoint is stale.endpoint
    assert other.told == []
    book.cluster.set_endpoints(book.endpoints)
    book.refuse()
    book.pass_time(0.1)
    assert book.openings[0].endpoint.id == "b"


def test_a_post_on_a_stale_connection_may_have_been_done_and_is_not_repeated() -> None:
    book = Playbook(endpoints=(endpoint(1, "a"),), make_plan=_retrying(retry_plan()))
    stale = _kept(book)
    book.request(method="POST", fields=FIELDS, first=b"nine byte")
    stale.fail("stale_connection")
    assert book.told == [("reply", 502, "upstream_reset", "UC")]


def test_a_listed_status_is_repeated_and_its_answer_dropped() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(statuses=frozenset({503}))))
    book.request()
    first = book.connect()
    first.answer(503, b"busy")
    assert book.told == []
    assert first.endpoint.idle == [first]
    book.pass_time(0.1)
    book.connect().answer(200, b"fine")
    assert book.told == [("head", 200, b"fine", "ended")]


def test_the_last_attempts_answer_is_passed_on_whatever_its_status() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(statuses=frozenset({503}))))
    book.request()
    book.connect().answer(503, b"busy")
    book.pass_time(0.1)
    book.connect().answer(503, b"busy too")
    assert book.told == [("head", 503, b"busy too", "ended")]


def test_a_retry_after_that_fits_is_obeyed_and_one_that_does_not_ends_the_tries() -> None:
    retry = retry_plan(statuses=frozenset({503}), backoff_max_s=2.0)
    book = Playbook(make_plan=_retrying(retry))
    book.request()
    book.connect().answer(503, fields="Retry-After: 1\r\n")
    book.pass_time(0.9)
    assert book.openings == []
    book.pass_time(0.2)
    book.connect().answer(503, fields="Retry-After: 60\r\n")
    assert book.told == [("head", 503, b"", "ended")]


def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(statuses=frozenset({503})), deadline_s=3.0))
    book.request()
    book.connect().answer(503, fields="Retry-After: 5\r\n")
    assert book.told == [("head", 503, b"", "ended")]


def test_the_attempt_timeout_is_repeated_when_listed_and_cancels_the_slow_one() -> None:
    conditions = DEFAULT_CONDITIONS | {"attempt_timeout"}
    book = Playbook(make_plan=_retrying(retry_plan(conditions=conditions), attempt_s=1.0))
    book.request()
    slow = book.connect()
    book.pass_time(1.1)
    assert slow.is_closed
    book.pass_time(0.1)
    book.connect().answer(200)
    assert book.told == [("head", 200, b"", "ended")]


def test_the_attempt_timeout_counts_the_connecting_too() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(max_retries=0), attempt_s=0.3))
    book.request()
    book.pass_time(0.4)
    assert book.told == [("reply", 502, "connect_failed", "UF")]


def test_no_answer_within_the_first_byte_timeout_is_504() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(), first_byte_s=5.0))
    book.request()
    upstream = book.connect()
    book.pass_time(5.1)
    assert upstream.is_closed
    assert book.told == [("reply", 504, "first_byte_timeout", "UT")]


def test_the_first_byte_is_waited_for_only_once_the_request_is_sent() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(), first_byte_s=5.0, idle_s=60.0))
    call = book.request(method="POST", fields=FIELDS, first=b"one", ended=False)
    upstream = book.connect()
    book.pass_time(20.0)
    call.on_body(b"twofou")
    call.on_end(b"")
    book.pass_time(4.0)
    assert book.told == []
    book.pass_time(1.1)
    assert book.told == [("reply", 504, "first_byte_timeout", "UT")]
    assert upstream.is_closed


def test_silence_after_the_head_is_cut_after_the_idle_timeout() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(), idle_s=10.0))
    book.request()
    upstream = book.connect()
    upstream.answer(200, b"one", ended=False)
    book.pass_time(9.0)
    upstream.body(b"two")
    book.pass_time(9.0)
    assert ("cut",) not in book.told
    book.pass_time(2.0)
    assert book.told[-1] == ("cut",)
    assert book.last().flag == "SI"


def test_the_deadline_ends_attempts_and_waits() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(max_retries=5, backoff_base_s=10, backoff_max_s=10), deadline_s=1.0))
    book.request()
    book.refuse()
    book.pass_time(1.1)
    assert book.told == [("reply", 504, "deadline_exceeded", "DT")]
    book.last()
    book.assert_nothing_is_held()


def test_the_deadline_cuts_an_answer_that_has_begun() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(), deadline_s=1.0))
    book.request()
    book.connect().answer(200, b"one", ended=False)
    book.pass_time(1.1)
    assert book.told[-1] == ("cut",)
    assert book.last().flag == "DT"


def test_the_rest_of_the_deadline_is_told_upstream() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(), deadline_s=3.0))
    book.request()
    book.pass_time(0.98)
    assert (
        b"meshway-deadline: 2000\r\n" in book.connect().fields or b"meshway-deadline: 1999" in book.upstreams[0].fields
    )


def test_a_body_over_the_buffer_cannot_be_sent_again() -> None:
    conditions = DEFAULT_CONDITIONS | {"reset"}
    book = Playbook(make_plan=_retrying(retry_plan(conditions=conditions, non_idempotent=True, buffer=8)))
    call = book.request(method="POST", fields=FIELDS, first=b"12345", ended=False)
    upstream = book.connect()
    call.on_body(b"6789")
    upstream.fail("reset")
    assert book.told == [("reply", 502, "upstream_reset", "UC")]


def test_a_body_half_sent_is_sent_again_from_its_beginning_and_goes_on() -> None:
    conditions = DEFAULT_CONDITIONS | {"reset"}
    book = Playbook(make_plan=_retrying(retry_plan(conditions=conditions, non_idempotent=True)))
    call = book.request(method="POST", fields=FIELDS, first=b"123", ended=False)
    upstream = book.connect()
    call.on_body(b"456")
    upstream.fail("reset")
    assert book.downstream.is_paused
    book.pass_time(0.1)
    second = book.connect()
    call.on_body(b"789")
    call.on_end(b"")
    assert second.told == [("request", b"123456", "open"), ("body", b"789"), ("end", b"")]


def test_a_spent_budget_ends_the_tries() -> None:
    def poor(*endpoints: object, now: object) -> Cluster:
        return cluster(*endpoints, now=now, budget=BudgetSettings(0.0, 0.1))  # type: ignore[arg-type]

    book = Playbook(make_cluster=poor, make_plan=_retrying(retry_plan(max_retries=3)))
    book.request()
    book.refuse()
    book.pass_time(0.1)
    book.refuse()
    assert book.told == [("reply", 502, "connect_failed", "UF,URX")]


def test_same_endpoint_stays_where_it_was() -> None:
    book = Playbook(make_plan=_retrying(retry_plan(same_endpoint=True)))
    book.request()
    book.refuse()
    book.pass_time(0.1)
    assert book.openings[0].endpoint.id == "a"


def test_a_caller_who_leaves_during_a_backoff_ends_it() -> None:
    book = Playbook(make_plan=_retrying(retry_plan()))
    call = book.request()
    book.refuse()
    call.on_gone()
    book.pass_time(0.1)
    assert book.openings == []
    assert book.last().flag == "DC"
    book.assert_nothing_is_held()

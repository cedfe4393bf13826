"""A filter may hold a call: it waits by the timer wheel, and goes on where it was."""

from collections.abc import Callable

from gateway.exchange import NEVER, Exchange, Hold, Reply
from gateway.plan import RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.verdict import Turn
from tests.parts.one_route import plan
from tests.parts.playbook import Playbook


def hold(_: Exchange) -> Hold:
    return Hold(0.5)


def held_plan(target: Cluster, deadline_s: float = NEVER, attempt_s: float = NEVER) -> RoutePlan:
    return plan(target, request_filters=(hold,), deadline_s=deadline_s, attempt_s=attempt_s)


def test_a_held_call_goes_on_after_its_wait_and_not_before() -> None:
    book = Playbook(make_plan=held_plan)
    book.request()
    book.pass_time(0.4)
    assert book.openings == []
    book.pass_time(0.1)
    book.connect().answer(200)
    assert book.told[0][:2] == ("head", 200)
    book.assert_nothing_is_held()


def test_its_attempt_has_its_whole_time_after_the_wait() -> None:
    book = Playbook(make_plan=lambda target: held_plan(target, attempt_s=0.2))
    book.request()
    book.pass_time(0.5)
    upstream = book.connect()
    book.pass_time(0.1)
    upstream.answer(200)
    assert book.told[0][:2] == ("head", 200)


def test_a_wait_counts_into_the_deadline() -> None:
    book = Playbook(make_plan=lambda target: held_plan(target, deadline_s=0.3))
    book.request()
    book.pass_time(0.3)
    assert book.told == [("reply", 504, "deadline_exceeded", "DT")]
    book.assert_nothing_is_held()


def test_a_body_that_comes_meanwhile_is_kept_and_sent() -> None:
    book = Playbook(make_plan=held_plan)
    call = book.request("POST", fields="Content-Length: 4\r\n", first=b"ab", ended=False)
    assert book.downstream.is_paused
    call.on_body(b"cd")
    call.on_end(b"")
    book.pass_time(0.5)
    assert book.connect().told == [("request", b"abcd", "ended")]


def test_a_caller_who_leaves_meanwhile_ends_it() -> None:
    book = Playbook(make_plan=held_plan)
    book.request().on_gone()
    book.pass_time(1.0)
    assert book.openings == []
    assert book.last().flag == "DC"
    book.assert_nothing_is_held()


def test_the_flags_of_a_held_call_that_is_then_refused_tell_both() -> None:
    def fault(exchange: Exchange) -> Hold:
        exchange.flag = "DI"
        return Hold(0.1)

    reply = Reply(503, "fault_abort", "FI")
    book = Playbook(make_plan=lambda target: plan(target, request_filters=(fault, lambda _: reply)))
    book.request()
    book.pass_time(0.1)
    assert book.told == [("reply", 503, "fault_abort", "FI")]
    assert book.last().flag == "DI,FI"


class ByHand(Turn):
    """Called on by the test. left: how often the call gave its turn back."""

    def __init__(self) -> None:
        self.left = 0

    def wait(self, resume: Callable[[Reply | None], None]) -> None:
        self.resume = resume

    def leave(self) -> None:
        self.left += 1


def in_line(turn: ByHand, deadline_s: float = NEVER) -> Playbook:
    def make(target: Cluster) -> RoutePlan:
        return plan(target, request_filters=(lambda _: turn,), deadline_s=deadline_s)

    return Playbook(make_plan=make)


def test_a_call_in_line_goes_on_when_it_is_called_on() -> None:
    turn = ByHand()
    book = in_line(turn)
    book.request()
    assert book.openings == []
    turn.resume(None)
    attempt = book.connect()
    assert turn.left == 0
    attempt.answer(200)
    assert book.told[0][:2] == ("head", 200)
    assert turn.left == 1


def test_a_call_in_line_can_be_refused() -> None:
    turn = ByHand()
    book = in_line(turn)
    book.request()
    turn.resume(Reply(429, "rate_limited", "RL"))
    assert book.told == [("reply", 429, "rate_limited", "RL")]
    assert turn.left == 1


def test_a_caller_who_goes_or_is_too_late_leaves_the_line() -> None:
    for end in ("gone", "deadline"):
        turn = ByHand()
        book = in_line(turn, deadline_s=0.3)
        running = book.request()
        if end == "gone":
            running.on_gone()
        else:
            book.pass_time(0.4)
            assert book.told == [("reply", 504, "deadline_exceeded", "DT")]
        assert turn.left
        book.assert_nothing_is_held()


def test_the_body_of_a_call_in_line_waits_with_it() -> None:
    turn = ByHand()
    book = in_line(turn)
    running = book.request("POST", first=b"one", ended=False, fields="Content-Length: 6\r\n")
    assert book.downstream.is_paused
    running.on_body(b"two")
    running.on_end(b"")
    turn.resume(None)
    assert book.connect().told == [("request", b"onetwo", "ended")]

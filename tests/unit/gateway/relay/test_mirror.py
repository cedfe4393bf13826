from collections import Counter
from dataclasses import replace
from math import inf

import pytest

from gateway.exchange import Reply
from gateway.plan import ComparePlan, MirrorPlan, RoutePlan
from gateway.relay.mirror import MAX_BODY, MOST_RUNNING, CopiedBody
from gateway.upstream.cluster import Cluster
from tests.parts.one_route import cluster, endpoint, one_route, plan, retry_plan
from tests.parts.playbook import FakeUpstream, Playbook


class MirroredBook(Playbook):
    """All calls are copied to `other`. outcomes: of the copies."""

    def __post_init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.share = 1.0
        self.other = cluster(endpoint(3, "shadow"), now=self.clock)
        make = self.make_plan
        self.make_plan = lambda target: self.mirrored(make(target))
        super().__post_init__()

    def mirrored(self, made: RoutePlan) -> RoutePlan:
        return replace(
            made, mirrors=(MirrorPlan(self.other, self.share, lambda outcome: self.outcomes.update([outcome])),)
        )

    def connect_both(self) -> tuple[FakeUpstream, FakeUpstream]:
        """The copy's connection, which is asked for first, and the call's."""
        return self.connect(), self.connect()


def test_a_copy_goes_out_and_its_end_changes_nothing_for_the_call() -> None:
    book = MirroredBook()
    book.request()
    copy, upstream = book.connect_both()
    assert b"meshway-mirror: 1\r\n" in copy.fields
    assert b"meshway-mirror" not in upstream.fields
    copy.fail()
    upstream.answer(200)
    assert book.told == [("head", 200, b"", "ended")]
    assert book.outcomes == {"failed": 1}
    assert book.relay.mirrored == 0
    book.assert_nothing_is_held()


def test_the_connection_of_a_copy_is_used_again() -> None:
    book = MirroredBook(endpoints=(endpoint(1, "a"),))
    for _ in range(2):
        book.request()
        if book.openings:
            book.connect_both()
        for upstream in book.upstreams:
            upstream.answer(500)
    assert len(book.upstreams) == 2
    assert book.outcomes == {"answered": 2}


def test_a_body_in_pieces_is_copied_when_it_is_whole() -> None:
    book = MirroredBook(make_plan=lambda target: plan(target, retry=retry_plan(buffer=3)))
    call = book.request("POST", fields="Content-Length: 6\r\n", first=b"ab", ended=False)
    upstream = book.connect()
    call.on_body(b"cd")
    call.on_body(b"ef")
    assert book.openings == []
    call.on_end(b"")
    assert book.connect().told == [("request", b"abcdef", "ended")]
    assert upstream.told == [("request", b"ab", "open"), ("body", b"cd"), ("body", b"ef"), ("end", b"")]


def test_a_body_that_is_too_long_is_not_copied_and_not_kept() -> None:
    book = MirroredBook()
    call = book.request("POST", fields="Transfer-Encoding: chunked\r\n", first=b"x", ended=False)
    book.connect()
    call.on_body(b"x" * MAX_BODY)
    assert isinstance(call.body, CopiedBody)
    assert call.body.copied is None
    call.on_end(b"")
    assert book.openings == []
    assert book.outcomes == {"too_large": 1}


def test_only_so_many_copies_run_at_once() -> None:
    book = MirroredBook()
    book.relay.mirrored = MOST_RUNNING
    book.request()
    assert len(book.openings) == 1
    assert book.outcomes == {"busy": 1}


def test_a_copy_without_an_answer_is_given_up_in_time() -> None:
    book = MirroredBook(make_plan=lambda target: plan(target, first_byte_s=1.0))
    book.request()
    copy, upstream = book.connect_both()
    upstream.answer(200)
    book.pass_time(1.1)
    assert copy.is_closed
    assert book.outcomes == {"failed": 1}


def test_nobody_to_copy_to_is_counted() -> None:
    book = MirroredBook()
    book.other.set_endpoints(())
    book.request()
    book.connect().answer(200)
    assert book.outcomes == {"no_endpoint": 1}


def test_what_a_filter_refuses_is_not_copied() -> None:
    def make(target: Cluster) -> RoutePlan:
        return plan(target, request_filters=(lambda _: Reply(403, "denied", "UAEX"),))

    book = MirroredBook(make_plan=make)
    book.request()
    assert book.openings == []
    assert not book.outcomes


def test_a_share_is_drawn_for_each_call() -> None:
    book = MirroredBook()  # chance is 1/2
    book.share = 0.5
    book.holder.tables = one_route(book.make_plan(book.cluster))
    book.request()
    assert len(book.openings) == 1


@pytest.mark.parametrize(
    ("said", "wait_s", "told"),
    [
        ("answers", 0.25, ("ok", 503, 0.27)),
        ("fails", 0.5, ("reset", 0, 0.52)),
        ("is silent", 1.1, ("first_byte_timeout", 0, 1.0)),
    ],
)
def test_the_algorithm_that_picks_learns_how_long_a_copy_took_and_nobody_else_does(
    said: str, wait_s: float, told: tuple[str, int, float]
) -> None:
    """told: with the 20 ms that pass_time adds."""
    learnt: list[tuple[str, int, float]] = []
    book = MirroredBook(make_plan=lambda target: plan(target, first_byte_s=1.0))
    book.other.learn = lambda place, outcome, status, latency_s, now: learnt.append(
        (outcome, status, round(latency_s, 1 if said == "is silent" else 2))
    )
    book.other.observe = lambda *_: pytest.fail("breaker and limit are told of a copy")
    book.request()
    copy, upstream = book.connect_both()
    upstream.answer(200)
    book.pass_time(wait_s)
    if said == "answers":
        copy.answer(503)
    elif said == "fails":
        copy.fail()
    assert learnt == [told]


class ComparedBook(MirroredBook):
    """verdicts: of the comparisons."""

    def __post_init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        super().__post_init__()

    def mirrored(self, made: RoutePlan) -> RoutePlan:
        (mirror,) = super().mirrored(made).mirrors
        compare = ComparePlan(True, inf, (("total",),), lambda verdict: self.verdicts.update([verdict]))
        return replace(made, mirrors=(replace(mirror, compare=compare),))


def test_the_callers_answer_is_the_same_whether_it_is_compared_or_not() -> None:
    book = ComparedBook()
    book.request()
    copy, upstream = book.connect_both()
    upstream.answer(200, b'{"total":1}')
    assert book.told == [("head", 200, b'{"total":1}', "ended")]
    assert not book.verdicts
    copy.answer(200, b'{"total":2}')
    assert book.verdicts == {"json_fields": 1}
    book.assert_nothing_is_held()


def test_a_copy_that_fails_or_is_not_sent_has_no_answer_to_compare() -> None:
    book = ComparedBook()
    book.request()
    copy, upstream = book.connect_both()
    copy.fail()
    upstream.answer(200)
    assert book.verdicts == {"unanswered": 1}
    book.other.set_endpoints(())
    book.request()
    book.connect().answer(200)
    assert book.verdicts == {"unanswered": 2}


def test_a_call_that_fails_has_none_either_and_its_copy_is_not_told() -> None:
    book = ComparedBook(make_plan=lambda target: plan(target, retry=retry_plan(max_retries=0)))
    book.request()
    copy, upstream = book.connect_both()
    copy.answer(200)
    upstream.fail()
    assert book.verdicts == {"unanswered": 1}

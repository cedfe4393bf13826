"""The breaker opens on observed failures, probes, and closes when the probes are good."""

import pytest

from gateway.exchange import Exchange, Reply
from gateway.upstream.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from gateway.upstream.cluster_settings import BreakerSettings
from tests.parts.calls import call


def settings(**fields: object) -> BreakerSettings:
    known: dict[str, object] = {
        "window_s": 10.0,
        "minimum_requests": 20,
        "failure_percent": 50.0,
        "outcomes": frozenset({"connect", "reset", "timeout"}),
        "statuses": frozenset({502, 503, 504}),
        "open_for_s": 5.0,
        "open_max_s": 60.0,
        "half_open_requests": 3,
    }
    return BreakerSettings(**(known | fields))  # type: ignore[arg-type]


class Bench:
    def __init__(self, workers: int = 1, **fields: object) -> None:
        self.news: list[tuple[str, float, int]] = []
        self.breaker = Breaker("default/books", settings(**fields), workers, lambda *news: self.news.append(news))

    def answers(self, good: int, bad: int, now: float = 100.0) -> None:
        for _ in range(good):
            self.breaker.record("ok", 200, now)
        for _ in range(bad):
            self.breaker.record("ok", 503, now)

    def probe(self, status: int, now: float) -> None:
        exchange = call()
        assert self.breaker.admit(exchange, now) is None
        self.breaker.record("ok", status, now, exchange)
        self.breaker.release(exchange)


def test_it_opens_above_the_threshold_not_at_it() -> None:
    bench = Bench(failure_percent=10.0, minimum_requests=50)
    bench.answers(90, 10)
    assert bench.breaker.state == CLOSED
    bench.answers(0, 1)
    assert bench.breaker.state == OPEN
    assert bench.news == [("breaker_opened", 105.0, 1)]


@pytest.mark.parametrize(("bad", "state"), [(82, CLOSED), (918, OPEN)])
def test_the_seeds_failure_shares_at_ten_percent(bad: int, state: str) -> None:
    bench = Bench(failure_percent=10.0, minimum_requests=1000)
    bench.answers(1000 - bad, bad)
    assert bench.breaker.state == state


def test_too_few_attempts_decide_nothing() -> None:
    bench = Bench(minimum_requests=20)
    bench.answers(0, 19)
    assert bench.breaker.state == CLOSED


def test_old_failures_do_not_count() -> None:
    bench = Bench(minimum_requests=10)
    bench.answers(0, 9, now=100.0)
    bench.answers(0, 9, now=111.0)
    assert bench.breaker.state == CLOSED


@pytest.mark.parametrize(
    ("outcome", "status", "fails"),
    [("timeout", 0, True), ("connect", 0, True), ("reset", 0, True), ("ok", 504, True), ("ok", 500, False)],
)
def test_only_listed_failures_count(outcome: str, status: int, fails: bool) -> None:
    bench = Bench(minimum_requests=1)
    bench.breaker.record(outcome, status, 100.0)
    assert (bench.breaker.state == OPEN) == fails


def test_open_it_refuses_and_says_when_to_come_back() -> None:
    bench = Bench(minimum_requests=1)
    bench.answers(0, 1)
    reply = bench.breaker.admit(call(), 102.5)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.reason, reply.flag, reply.fields) == (503, "breaker_open", "UO", b"Retry-After: 3\r\n")


def test_half_open_lets_a_few_through_at_a_time_and_closes_when_all_are_good() -> None:
    bench = Bench(minimum_requests=1)
    bench.answers(0, 1)
    probes = [call() for _ in range(4)]
    assert [bench.breaker.admit(probe, 105.0) is None for probe in probes] == [True, True, True, False]
    assert bench.breaker.state == HALF_OPEN
    for probe in probes[:3]:
        bench.breaker.record("ok", 200, 105.1, probe)
    assert bench.breaker.state == CLOSED
    assert [news[0] for news in bench.news] == ["breaker_opened", "breaker_half_open", "breaker_closed"]
    bench.breaker.record("ok", 503, 105.2)
    assert bench.breaker.state == OPEN, "cleared: one of one is bad"


@pytest.mark.parametrize("straggler", [None, call()])
def test_a_straggler_from_before_the_opening_neither_closes_nor_opens(straggler: Exchange | None) -> None:
    bench = Bench(minimum_requests=1, half_open_requests=1)
    bench.answers(0, 1)
    probe = call()
    assert bench.breaker.admit(probe, 105.0) is None
    for status in (200, 503):
        bench.breaker.record("ok", status, 105.1, straggler)
        assert bench.breaker.state == HALF_OPEN
    bench.breaker.record("ok", 200, 105.2, probe)
    assert bench.breaker.state == CLOSED


def test_a_bad_probe_opens_for_twice_as_long_up_to_the_most() -> None:
    bench = Bench(minimum_requests=1)
    bench.answers(0, 1)
    now, spans = 100.0, []
    for _ in range(6):
        spans.append(bench.breaker.open_until - now)
        now = bench.breaker.open_until
        bench.probe(503, now)
    assert spans == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_after_closing_the_first_opening_is_short_again() -> None:
    bench = Bench(minimum_requests=1, half_open_requests=1)
    bench.answers(0, 1)
    bench.probe(503, 105.0)
    bench.probe(200, 115.0)
    assert bench.breaker.state == CLOSED
    bench.answers(0, 1, now=120.0)
    assert bench.breaker.open_until == 125.0


def test_a_probe_that_never_made_an_attempt_gives_its_place_back() -> None:
    bench = Bench(minimum_requests=1, half_open_requests=1)
    bench.answers(0, 1)
    first = call()
    assert bench.breaker.admit(first, 105.0) is None
    assert bench.breaker.admit(call(), 105.0) is not None
    bench.breaker.release(first)
    assert bench.breaker.admit(call(), 105.0) is None


def test_stragglers_from_before_the_opening_do_not_judge() -> None:
    bench = Bench(minimum_requests=1)
    bench.answers(0, 1)
    bench.answers(5, 5, now=101.0)
    assert (bench.breaker.state, bench.breaker.open_until) == (OPEN, 105.0)
    probe = call()
    bench.breaker.admit(probe, 105.0)
    bench.breaker.release(probe)
    bench.answers(5, 5, now=105.1)
    assert bench.breaker.state == HALF_OPEN, "no probe is under way"


def test_workers_probe_their_share_rounded_up() -> None:
    bench = Bench(workers=2, minimum_requests=1)
    bench.answers(0, 1)
    assert [bench.breaker.admit(call(), 105.0) is None for _ in range(3)] == [True, True, False]


def test_a_passing_check_ends_the_opening_early() -> None:
    bench = Bench(minimum_requests=1)
    bench.answers(0, 1)
    bench.breaker.end_open_early()
    assert bench.breaker.admit(call(), 100.1) is None


def test_new_settings_keep_the_state() -> None:
    bench = Bench(minimum_requests=1)
    bench.answers(0, 1)
    bench.breaker.configure(settings(half_open_requests=1, window_s=20.0), 1)
    assert bench.breaker.admit(call(), 104.0) is not None
    bench.probe(200, 105.0)
    assert bench.breaker.state == CLOSED


def slow_calls(bench: Bench, slow: int, quick: int, now: float = 100.0) -> None:
    for latency_s in [0.1] * quick + [0.6] * slow:
        bench.breaker.observe(latency_s)
        bench.breaker.record("ok", 200, now)


def test_it_opens_when_too_many_calls_are_slow() -> None:
    bench = Bench(slow_over_s=0.5, slow_percent=20.0, minimum_requests=50)
    slow_calls(bench, slow=10, quick=40)
    assert bench.breaker.state == CLOSED, "at the threshold"
    slow_calls(bench, slow=1, quick=0)
    assert bench.breaker.state == OPEN
    without = Bench(minimum_requests=1)
    slow_calls(without, slow=50, quick=0)
    assert without.breaker.state == CLOSED


def test_a_slow_probe_is_a_bad_one_and_a_quick_one_closes() -> None:
    bench = Bench(slow_over_s=0.5, slow_percent=20.0, minimum_requests=1, half_open_requests=1)
    slow_calls(bench, slow=1, quick=0)
    for now, latency_s, state in ((105.0, 0.6, OPEN), (115.0, 0.1, CLOSED)):
        probe = call()
        assert bench.breaker.admit(probe, now) is None
        bench.breaker.observe(latency_s)
        bench.breaker.record("ok", 200, now, probe)
        bench.breaker.release(probe)
        assert bench.breaker.state == state
    slow_calls(bench, slow=0, quick=5, now=116.0)
    assert bench.breaker.state == CLOSED, "the window began anew"


@pytest.mark.parametrize(("bad", "total", "state"), [(3, 20, CLOSED), (12, 60, OPEN)])
def test_with_confidence_chance_does_not_open_it(bad: int, total: int, state: str) -> None:
    """The guide's P(F > F_alpha) = 1 - alpha: one-sided bounds of 0.062 and 0.129 at 10 %."""
    bench = Bench(failure_percent=10.0, confidence_percent=95.0, minimum_requests=total)
    bench.answers(total - bad, bad)
    assert bench.breaker.state == state
    sure = Bench(failure_percent=10.0, minimum_requests=total)
    sure.answers(total - bad, bad)
    assert sure.breaker.state == OPEN, "without, the share itself counts"


def test_an_answer_of_its_own_is_given_while_it_keeps_calls_away() -> None:
    bench = Bench(minimum_requests=1, answer=(200, "[]", "application/json"), policy="TrafficPolicy default/p")
    bench.answers(0, 1)
    reply = bench.breaker.admit(call(), 100.0)
    assert reply is not None
    assert (reply.status, reply.body, reply.fields) == (200, b"[]", b"Content-Type: application/json\r\n")
    assert (reply.reason, reply.flag, reply.policy) == ("breaker_open", "UO", "TrafficPolicy default/p")
    bench.breaker.configure(settings(minimum_requests=1), 1)
    reply = bench.breaker.admit(call(), 100.0)
    assert reply is not None
    assert (reply.status, reply.body) == (503, None)

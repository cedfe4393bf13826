"""Who waits goes in the order he came, at the limit's own pace, for as long as he may; who leaves is skipped."""

from collections.abc import Callable

import pytest

from gateway.limits.algorithm import Algorithm
from gateway.limits.line import Advancing, Line, Ticket
from gateway.limits.sliding_window import SlidingWindows
from gateway.limits.token_bucket import TokenBuckets

BEAT_S = 0.01


class Waiters:
    """A line and those who wait in it, each by a name. gone: (name, second, what he was told)."""

    def __init__(self, algorithm: Algorithm, patience_s: float = 5.0) -> None:
        self.advancing: set[Advancing] = set()
        self.algorithm = algorithm
        self.line = Line(algorithm, patience_s, 100, self.advancing)
        self.gone: list[tuple[str, float, float]] = []
        self.now = 0.0

    def join(self, name: str, key: str = "k") -> Ticket:
        return self.line.join(key, self.now, self.hearing(name))

    def hearing(self, name: str) -> Callable[[float], None]:
        return lambda wait_s: self.gone.append((name, self.now, wait_s))

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / BEAT_S)):
            self.now += BEAT_S
            for each in tuple(self.advancing):
                each.advance(self.now)

    def names(self) -> str:
        return "".join(name for name, _, wait_s in self.gone if wait_s == 0.0)


def spent(algorithm: Algorithm, key: str = "k") -> Algorithm:
    while algorithm.wait_s(key, 0.0) == 0.0:
        algorithm.spend(key, 0.0)
    return algorithm


def test_those_who_wait_go_in_order_one_by_one_as_tokens_come() -> None:
    waiters = Waiters(spent(TokenBuckets(2.0, 1.0)))
    for name in "abc":
        waiters.join(name)
    waiters.pass_time(2.0)
    assert waiters.names() == "abc"
    assert [at for _, at, _ in waiters.gone] == pytest.approx([0.5, 1.0, 1.5], abs=2 * BEAT_S)
    assert waiters.advancing == set()


def test_a_beat_costs_nothing_of_a_rate_that_is_higher_than_the_beats() -> None:
    waiters = Waiters(spent(TokenBuckets(1000.0, 1.0)))
    for _ in range(100):
        waiters.join("x")
    waiters.pass_time(0.11)
    assert len(waiters.gone) == 100
    waiters.join("y")
    waiters.join("z")
    waiters.pass_time(BEAT_S)
    assert waiters.names()[-2:] == "yz"


def test_who_waits_too_long_is_refused_and_told_when_to_come_back() -> None:
    waiters = Waiters(spent(TokenBuckets(0.1, 1.0)), patience_s=1.0)
    waiters.join("a")
    waiters.pass_time(1.5)
    ((name, at, wait_s),) = waiters.gone
    assert name == "a"
    assert [at, wait_s] == pytest.approx([1.0, 9.0], abs=0.1)


def test_a_place_that_is_given_back_goes_to_the_next_and_costs_no_token() -> None:
    waiters = Waiters(spent(TokenBuckets(1.0, 1.0)))
    tickets = {name: waiters.join(name) for name in "abc"}
    waiters.line.leave(tickets["a"])
    waiters.line.leave(tickets["a"])
    assert waiters.line.count("k") == 2
    waiters.pass_time(2.1)
    assert waiters.names() == "bc"
    assert [at for _, at, _ in waiters.gone] == pytest.approx([1.0, 2.0], abs=2 * BEAT_S)


def test_a_line_whose_last_has_left_is_forgotten_and_leaves_the_beat() -> None:
    waiters = Waiters(spent(TokenBuckets(1.0, 1.0)))
    waiters.line.leave(waiters.join("a"))
    waiters.pass_time(BEAT_S)
    assert (waiters.gone, waiters.advancing, waiters.line.waiting) == ([], set(), 0)


def test_keys_wait_apart() -> None:
    buckets = TokenBuckets(1.0, 1.0)
    spent(buckets, "slow")
    waiters = Waiters(buckets)
    waiters.join("a", "slow")
    waiters.join("b", "other")
    waiters.pass_time(BEAT_S)
    assert waiters.names() == "b"


def test_a_window_lets_as_many_go_as_have_left_it() -> None:
    waiters = Waiters(spent(SlidingWindows(2, 1.0, exact=True)), patience_s=3.0)
    for name in "abcd":
        waiters.join(name)
    waiters.pass_time(1.1)
    assert waiters.names() == "ab"
    waiters.pass_time(1.1)
    assert waiters.names() == "abcd"


def test_all_of_a_key_are_refused_at_once() -> None:
    waiters = Waiters(spent(TokenBuckets(1.0, 1.0)))
    waiters.join("a")
    waiters.join("b")
    waiters.line.refuse("k", 7.0)
    assert waiters.gone == [("a", 0.0, 7.0), ("b", 0.0, 7.0)]
    assert waiters.advancing == set()


def test_who_is_called_on_may_join_again_at_once() -> None:
    waiters = Waiters(spent(TokenBuckets(10.0, 1.0)))
    times: list[float] = []

    def again(wait_s: float) -> None:
        times.append(waiters.now)
        if len(times) < 3:
            waiters.line.join("k", waiters.now, again)

    waiters.line.join("k", 0.0, again)
    waiters.pass_time(0.5)
    assert times == pytest.approx([0.1, 0.2, 0.3], abs=2 * BEAT_S)


def test_who_may_stay_beyond_his_time_is_asked_again_at_each_beat_and_nobody_overtakes_him() -> None:
    waiters = Waiters(spent(TokenBuckets(0.001, 1.0)))
    asked: list[float] = []

    def at_the_end(ticket: Ticket, now: float) -> float | None:
        asked.append(now)
        return None if now < 0.055 else 7.0

    waiters.line = Line(waiters.algorithm, 0.02, 100, waiters.advancing, at_the_end=at_the_end, is_paced=False)
    waiters.join("a")
    waiters.join("b")
    waiters.pass_time(0.05)
    assert (waiters.gone, len(asked)) == ([], 4)
    waiters.pass_time(0.02)
    assert [(name, wait_s) for name, _, wait_s in waiters.gone] == [("a", 7.0), ("b", 7.0)]


def test_a_turn_that_comes_after_the_time_is_over_is_taken_by_who_may_stay() -> None:
    waiters = Waiters(spent(TokenBuckets(10.0, 1.0)))
    line = Line(waiters.algorithm, 0.02, 100, waiters.advancing, at_the_end=lambda *_: None, is_paced=False)
    waiters.line = line
    waiters.join("a")
    waiters.pass_time(0.2)
    assert waiters.names() == "a"

"""Who answers faster gets more, beside what is declared."""

import random
from collections import Counter

import pytest

from gateway.balancing.auto_weights import PERIOD_S, AutoWeights
from gateway.balancing.pick import Pick
from gateway.balancing.round_robin import RoundRobin
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint
from tests.parts.calls import call
from tests.parts.endpoints import endpoints, ready


class Bench:
    """Endpoints with these weights, and the share of a thousand picks that each gets."""

    def __init__(self, *weights: int) -> None:
        self.endpoints = endpoints(*weights)
        self.seen: list[tuple[int, ...]] = []
        self.auto = AutoWeights(self._algorithm)
        self.pick = self.auto(ready(self.endpoints))
        self.now = 100.0

    def _algorithm(self, eligible: Eligible) -> Pick:
        self.seen.append(eligible.weights)
        return RoundRobin(random.random, 1)(eligible)

    def period(self, *latencies_s: float, outcome: str = "ok", status: int = 200) -> None:
        """Ten answers of each, and the period is over."""
        for place, latency_s in zip(self.endpoints, latencies_s, strict=True):
            for _ in range(10):
                self.told(place, latency_s, outcome, status)
        self.now += PERIOD_S

    def told(self, place: Endpoint, latency_s: float, outcome: str = "ok", status: int = 200) -> None:
        self.auto.observe(place, outcome, status, latency_s, self.now)

    def shares(self) -> list[float]:
        picked = Counter(self.pick(call()).id for _ in range(1000))
        return [picked[place.id] / 1000.0 for place in self.endpoints]


def test_until_something_is_known_the_declared_weights_hold() -> None:
    bench = Bench(1, 3)
    assert bench.shares() == pytest.approx([0.25, 0.75], abs=0.01)
    bench.period(0.1, 0.1)
    assert bench.seen == [(1, 3)]


def test_who_takes_four_times_as_long_gets_a_quarter_of_the_calls() -> None:
    bench = Bench(1, 1)
    for _ in range(6):
        bench.period(0.01, 0.04)
    assert bench.shares() == pytest.approx([0.8, 0.2], abs=0.02)
    doubled = Bench(1, 2)
    for _ in range(6):
        doubled.period(0.01, 0.02)
    assert doubled.shares() == pytest.approx([0.5, 0.5], abs=0.03)


def test_nobody_gets_more_than_about_ten_times_more_or_less() -> None:
    bench = Bench(1, 1, 1)
    for _ in range(6):
        bench.period(0.001, 0.1, 10.0)
    low, middle, high = sorted(bench.seen[-1])
    assert 9.0 < high / middle < 11.0
    assert 9.0 < middle / low < 11.0


@pytest.mark.parametrize(("outcome", "status"), [("reset", 0), ("ok", 503)])
def test_a_quick_failure_is_no_quick_answer(outcome: str, status: int) -> None:
    bench = Bench(1, 1)
    for _ in range(6):
        for _ in range(10):
            bench.told(bench.endpoints[0], 0.001, outcome, status)
            bench.told(bench.endpoints[1], 0.1)
        bench.now += PERIOD_S
    assert bench.shares()[0] < 0.15


def test_what_says_nothing_of_the_endpoint_and_too_few_answers_change_nothing() -> None:
    bench = Bench(1, 1)
    for _ in range(6):
        bench.period(0.01, 0.05, outcome="cancelled", status=0)
        bench.told(bench.endpoints[0], 0.01)
    assert bench.seen == [(1, 1)]


def test_small_differences_do_not_make_the_balancer_anew() -> None:
    bench = Bench(1, 1)
    for _ in range(6):
        bench.period(0.0100, 0.0103)
    assert bench.seen == [(1, 1)]


def test_what_was_learnt_outlives_a_change_of_endpoints() -> None:
    bench = Bench(1, 1, 1)
    for _ in range(6):
        bench.period(0.01, 0.01, 0.04)
    bench.pick = bench.auto(ready(bench.endpoints[1:]))
    picked = Counter(bench.pick(call()).id for _ in range(1000))
    assert picked["3"] < 250

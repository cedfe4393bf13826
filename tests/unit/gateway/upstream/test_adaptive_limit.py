"""An overloaded service works at its capacity, an idle one is let alone, and one that became slower is learnt anew.

The service is simulated: so many servers, service times exponential, a queue before them without an end.
"""

import heapq
import random
from collections import deque
from dataclasses import replace

import pytest

from gateway.exchange import EDGE, MESH
from gateway.upstream.adaptive_limit import AdaptiveLimit
from gateway.upstream.cluster_settings import AdaptiveSettings
from tests.parts.calls import call
from tests.parts.one_route import plan

SERVERS, SERVICE_S = 10, 0.020
CAPACITY = SERVERS / SERVICE_S  # a second
PATIENCE_S = 0.5  # an answer after this is none
SETTINGS = AdaptiveSettings(tolerance=2.0, min_limit=3, max_limit=1000, window_s=0.1, minimum_samples=20)


@pytest.fixture
def chance() -> random.Random:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return random.Random(seed)


class Service:
    """What a limit keeps from it, or lets through to it. slower: of its service times, from a second on."""

    def __init__(self, chance: random.Random, limit: AdaptiveLimit | None) -> None:
        self.chance = chance
        self.limit = limit
        self.latencies: list[tuple[float, float]] = []  # when and how long, of those who were patient enough
        self.refused = 0

    def run(self, load: float, seconds: float, slower: float = 1.0, slow_from: float = 0.0) -> None:
        """load: calls offered, in capacities."""
        chance, limit = self.chance, self.limit
        now, busy = 0.0, 0
        queue: deque[tuple[float, int]] = deque()
        ends: list[tuple[float, float, int]] = []

        def serve(began: float, number: int) -> None:
            factor = slower if now >= slow_from else 1.0
            heapq.heappush(ends, (now + chance.expovariate(1.0 / (SERVICE_S * factor)), began, number))

        arrives = chance.expovariate(load * CAPACITY)
        number = 0
        while now < seconds:
            if ends and ends[0][0] <= arrives:
                now, began, ended = heapq.heappop(ends)
                if limit is not None:
                    limit.release(ended)
                    limit.observe(now - began, now)
                if now - began <= PATIENCE_S:
                    self.latencies.append((now, now - began))
                busy -= 1
                if queue:
                    busy += 1
                    serve(*queue.popleft())
                continue
            now = arrives
            arrives += chance.expovariate(load * CAPACITY)
            number += 1
            if limit is not None and not limit.enter(number, 1.0):
                self.refused += 1
            elif busy < SERVERS:
                busy += 1
                serve(now, number)
            else:
                queue.append((now, number))

    def goodput(self, since: float, until: float) -> float:
        """Answers in time, in capacities."""
        return sum(since <= at < until for at, _ in self.latencies) / (until - since) / CAPACITY

    def p99(self, since: float) -> float:
        some = sorted(latency for at, latency in self.latencies if at >= since)
        return some[int(len(some) * 0.99)]


@pytest.mark.parametrize("load", [1.2, 2.0, 3.0, 4.0])
def test_an_overloaded_service_works_at_its_capacity(chance: random.Random, load: float) -> None:
    service = Service(chance, AdaptiveLimit("shop/books", SETTINGS))
    service.run(load, seconds=30.0)
    assert service.goodput(5.0, 30.0) >= 0.9
    assert service.p99(5.0) < 0.25


@pytest.mark.parametrize(("seed", "load"), [(3525967308, 1.2), (3525967308, 3.0), (1120, 1.2)])
def test_who_meets_a_load_at_its_first_call_learns_no_less(seed: int, load: float) -> None:
    """Where the first answers come so soon that a base of them alone costs a tenth of the capacity and more."""
    service = Service(random.Random(seed), AdaptiveLimit("shop/books", SETTINGS))
    service.run(load, seconds=30.0)
    assert service.goodput(5.0, 30.0) >= 0.95


def test_without_a_limit_it_answers_nobody_in_time(chance: random.Random) -> None:
    service = Service(chance, None)
    service.run(3.0, seconds=30.0)
    assert service.goodput(5.0, 30.0) < 0.5


def test_it_is_stable_for_minutes(chance: random.Random) -> None:
    limit = AdaptiveLimit("shop/books", SETTINGS)
    service = Service(chance, limit)
    service.run(2.0, seconds=120.0)
    assert service.goodput(60.0, 120.0) >= 0.9
    assert service.p99(60.0) < 0.25
    assert SERVERS <= limit.limit < 12 * SERVERS


def test_half_loaded_it_refuses_nobody(chance: random.Random) -> None:
    service = Service(chance, AdaptiveLimit("shop/books", SETTINGS))
    service.run(0.5, seconds=30.0)
    assert service.refused < 0.001 * 0.5 * CAPACITY * 30.0


def test_a_service_that_became_four_times_slower_is_learnt_anew(chance: random.Random) -> None:
    service = Service(chance, AdaptiveLimit("shop/books", SETTINGS))
    service.run(1.5, seconds=60.0, slower=4.0, slow_from=20.0)
    assert service.goodput(40.0, 60.0) >= 0.9 / 4.0


def test_it_stays_between_its_bounds() -> None:
    limit = AdaptiveLimit("shop/books", AdaptiveSettings(2.0, 4, 30, 0.1, 5))
    now = 0.0
    for latency_s in [0.01] * 200 + [1.0] * 200:
        while limit.enter(object(), 1.0):
            pass
        now += 0.1
        limit.observe(latency_s, now)
        limit.held.clear()
        assert 4 <= limit.limit <= 30


def test_what_enters_is_counted_and_what_leaves_makes_room() -> None:
    limit = AdaptiveLimit("shop/books", AdaptiveSettings(2.0, 2, 2, 0.1, 5))
    assert [limit.enter(at, 1.0) for at in range(3)] == [True, True, False]
    limit.release(2)  # was never in
    assert not limit.enter(3, 1.0)
    limit.release(0)
    assert limit.enter(4, 1.0)


def test_new_bounds_hold_at_once_and_what_was_learnt_stays() -> None:
    limit = AdaptiveLimit("shop/books", SETTINGS)
    limit.configure(AdaptiveSettings(2.0, 3, 5, 0.1, 20))
    assert limit.limit == 5
    limit.configure(SETTINGS)
    assert limit.limit == 5


def test_what_matters_less_is_refused_first_and_one_call_always_runs() -> None:
    limit = AdaptiveLimit("shop/books", AdaptiveSettings(2.0, 10, 10, 0.1, 20))
    assert [limit.enter(at, 0.6) for at in range(7)] == [True] * 6 + [False]
    assert [limit.enter(at, 0.9) for at in range(10, 14)] == [True] * 3 + [False]
    assert [limit.enter(at, 1.0) for at in range(20, 22)] == [True, False]
    one = AdaptiveLimit("shop/books", AdaptiveSettings(2.0, 1, 1, 0.1, 20))
    assert one.enter(0, 0.6)


@pytest.mark.parametrize(
    ("listener", "share", "told", "admitted"),
    [
        (MESH, 0.9, None, 9),
        (MESH, 0.9, "sheddable", 6),
        (MESH, 0.6, "critical", 6),
        (MESH, 1.0, "default", 9),
        (MESH, 1.0, "nonsense", 10),
        (EDGE, 1.0, "sheddable", 10),
    ],
)
def test_a_service_may_lower_how_much_its_call_matters(
    listener: int, share: float, told: str | None, admitted: int
) -> None:
    limit = AdaptiveLimit("shop/books", AdaptiveSettings(2.0, 10, 10, 0.1, 20, "TrafficPolicy shop/p"))
    refusals = []
    for _ in range(12):
        exchange = call(headers={"meshway-criticality": told} if told else {}, listener=listener)
        exchange.plan = replace(plan(None), limit_share=share)
        refusals.append(limit.admit(exchange))
    assert sum(refusal is None for refusal in refusals) == admitted
    last = refusals[-1]
    assert last is not None
    assert (last.status, last.reason, last.flag, last.policy) == (503, "overloaded", "OM", "TrafficPolicy shop/p")
    assert last.fields == b"Retry-After: 1\r\n"

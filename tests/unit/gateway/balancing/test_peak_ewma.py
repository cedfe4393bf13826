"""The quicker endpoint is preferred, peaks are remembered, failing fast is not quick, and nobody is forgotten."""

import heapq
import random
from collections import Counter

import pytest

from gateway.balancing.peak_ewma import PeakEwma
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint
from tests.parts.calls import call
from tests.parts.endpoints import endpoints, ready


@pytest.fixture
def chance() -> random.Random:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return random.Random(seed)


def measured(chance: random.Random, *latencies_s: float, weights: tuple[int, ...] = ()) -> tuple[PeakEwma, Eligible]:
    """Endpoints 1, 2, … that answered once in so many seconds, at second 0."""
    balancer = PeakEwma(chance.random, decay_s=10.0)
    some = endpoints(*(weights or [1] * len(latencies_s)))
    for endpoint, latency_s in zip(some, latencies_s, strict=True):
        balancer.observe(endpoint, "ok", 200, latency_s, 0.0)
    return balancer, ready(some)


def picks(balancer: PeakEwma, eligible: Eligible, count: int, now: float = 0.0) -> Counter[str]:
    exchange = call()
    exchange.started = now
    pick = balancer(eligible)
    return Counter(pick(exchange).id for _ in range(count))


def simulate(
    chance: random.Random, balancer: PeakEwma, some: tuple[Endpoint, ...], latency: list[float], calls: int
) -> tuple[Counter[str], list[float]]:
    """calls at 200 a second; latency: seconds of each endpoint, with up to a fifth more by chance; below 0: it fails in
    so many seconds. Answers how many calls each got, and how long they took."""
    pick = balancer(ready(some))
    counts: Counter[str] = Counter()
    running: list[tuple[float, int, Endpoint, float, bool]] = []
    took: list[float] = []
    now = 1.0
    for number in range(calls):
        now += chance.expovariate(200.0)
        while running and running[0][0] <= now:
            ended, _, endpoint, latency_s, is_good = heapq.heappop(running)
            endpoint.in_flight -= 1
            balancer.observe(endpoint, "ok", 200 if is_good else 503, latency_s, ended)
        exchange = call()
        exchange.started = now
        endpoint = pick(exchange)
        counts[endpoint.id] += 1
        typical = latency[int(endpoint.id) - 1]
        latency_s = abs(typical) * (1.0 + 0.2 * chance.random())
        endpoint.in_flight += 1
        took.append(latency_s)
        heapq.heappush(running, (now + latency_s, number, endpoint, latency_s, typical > 0))
    return counts, took


def test_of_two_idle_endpoints_the_quicker_one_is_picked(chance: random.Random) -> None:
    balancer, eligible = measured(chance, 0.010, 0.030)
    assert picks(balancer, eligible, 500) == {"1": 500}


def test_running_calls_count_by_what_they_take(chance: random.Random) -> None:
    balancer, eligible = measured(chance, 0.010, 0.030)
    quick, _ = eligible.endpoints
    quick.in_flight = 1
    assert picks(balancer, eligible, 100) == {"1": 100}, "10 ms twice are less than 30 ms once"
    quick.in_flight = 3
    assert picks(balancer, eligible, 100) == {"2": 100}


def test_a_slow_answer_counts_at_once_and_a_quick_one_by_and_by(chance: random.Random) -> None:
    balancer, eligible = measured(chance, 0.010)
    (endpoint,) = eligible.endpoints
    balancer.observe(endpoint, "ok", 200, 0.500, 1.0)
    assert endpoint.ewma_s == 0.500
    balancer.observe(endpoint, "ok", 200, 0.010, 2.0)
    assert 0.44 < endpoint.ewma_s < 0.47, "one of ten seconds has passed"
    balancer.observe(endpoint, "ok", 200, 0.010, 102.0)
    assert endpoint.ewma_s == pytest.approx(0.010, abs=0.001)


@pytest.mark.parametrize(("outcome", "status"), [("ok", 503), ("reset", 0), ("connect_failure", 0)])
def test_failing_fast_is_not_quick(chance: random.Random, outcome: str, status: int) -> None:
    balancer, eligible = measured(chance, 0.010, 0.010)
    balancer.observe(eligible.endpoints[0], outcome, status, 0.0005, 0.1)
    assert eligible.endpoints[0].ewma_s == 1.0
    balancer.observe(eligible.endpoints[1], "ok", 200, 4.0, 0.2)
    balancer.observe(eligible.endpoints[0], outcome, status, 0.0005, 0.3)
    assert eligible.endpoints[0].ewma_s == 4.0, "as slow as the slowest good answer"


@pytest.mark.parametrize("outcome", ["cancelled", "stale_connection"])
def test_what_says_nothing_about_the_endpoint_teaches_nothing(chance: random.Random, outcome: str) -> None:
    balancer, eligible = measured(chance, 0.010)
    balancer.observe(eligible.endpoints[0], outcome, 0, 30.0, 0.1)
    assert eligible.endpoints[0].ewma_s == 0.010


def test_an_endpoint_that_nobody_calls_is_tried_again(chance: random.Random) -> None:
    balancer, eligible = measured(chance, 0.010, 0.200)
    quick, _ = eligible.endpoints
    quick.in_flight = 1  # always one call: 20 ms
    assert picks(balancer, eligible, 100, now=20.0) == {"1": 100}
    assert picks(balancer, eligible, 100, now=24.0) == {"2": 100}, "200 ms have faded below 20 ms"


def test_an_endpoint_that_hangs_does_not_grow_quicker_by_it(chance: random.Random) -> None:
    balancer, eligible = measured(chance, 0.010, 0.010)
    eligible.endpoints[0].in_flight = 3
    for now in (1.0, 100.0, 10_000.0):
        eligible.endpoints[1].ewma_at = now
        assert picks(balancer, eligible, 100, now) == {"2": 100}


def test_an_unknown_endpoint_gets_one_call_until_that_has_ended(chance: random.Random) -> None:
    balancer, eligible = measured(chance, 0.010)
    known, fresh = (*eligible.endpoints, endpoints(1, 1)[1])
    both = ready((known, fresh))
    assert picks(balancer, both, 50) == {"2": 50}
    fresh.in_flight = 1
    assert picks(balancer, both, 50) == {"1": 50}


@pytest.mark.parametrize("weights", [(1, 3), (2, 3, 4), (1, 2, 3, 4, 5, 6)])
def test_idle_and_alike_endpoints_get_their_weights_share(chance: random.Random, weights: tuple[int, ...]) -> None:
    balancer, eligible = measured(chance, *[0.010] * len(weights), weights=weights)
    draws = 20_000
    counts = picks(balancer, eligible, draws)
    for number, weight in enumerate(weights, 1):
        share = weight / sum(weights)
        five_sigma = 5 * (draws * share * (1 - share)) ** 0.5
        assert abs(counts[str(number)] - draws * share) < five_sigma, counts


def test_of_very_many_unequal_ones_nobody_is_starved(chance: random.Random) -> None:
    balancer, eligible = measured(chance, *[0.010] * 40, weights=(1,) + (2,) * 39)
    counts = picks(balancer, eligible, 20_000)
    assert len(counts) == 40
    assert counts["1"] < counts["2"]


def test_one_slow_instance_of_five_is_left_alone(chance: random.Random) -> None:
    """Twenty times as slow: hardly anybody waits for it."""
    balancer = PeakEwma(chance.random, decay_s=10.0)
    _, healthy = simulate(chance, balancer, endpoints(1, 1, 1, 1, 1), [0.010] * 5, 4_000)
    balancer = PeakEwma(chance.random, decay_s=10.0)
    counts, took = simulate(chance, balancer, endpoints(1, 1, 1, 1, 1), [0.010] * 4 + [0.200], 4_000)
    assert counts["5"] < 40
    assert sorted(took)[int(len(took) * 0.99) - 1] < 1.5 * sorted(healthy)[int(len(healthy) * 0.99) - 1]


def test_one_that_fails_in_half_a_millisecond_draws_no_calls(chance: random.Random) -> None:
    balancer = PeakEwma(chance.random, decay_s=10.0)
    counts, _ = simulate(chance, balancer, endpoints(1, 1, 1), [0.010, 0.010, -0.0005], 4_000)
    assert counts["3"] < 80, counts

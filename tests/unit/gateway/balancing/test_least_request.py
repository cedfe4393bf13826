"""The less busy endpoint is picked, ties by chance, and no endpoint with a weight is starved."""

import random
from collections import Counter

import pytest

from gateway.balancing.least_request import least_request
from tests.parts.calls import call
from tests.parts.endpoints import endpoint, endpoints, ready

EXCHANGE = call()


@pytest.fixture
def chance() -> random.Random:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return random.Random(seed)


def test_of_two_endpoints_the_busier_one_is_never_picked(chance: random.Random) -> None:
    busy, idle = endpoint("1", in_flight=3), endpoint("2", in_flight=2)
    pick = least_request(ready((busy, idle)), chance.random)
    assert {pick(EXCHANGE).id for _ in range(1000)} == {"2"}


@pytest.mark.parametrize("count", [2, 3, 4, 5, 10])
def test_idle_endpoints_are_picked_equally_often(count: int, chance: random.Random) -> None:
    pick = least_request(ready(endpoints(*[1] * count)), chance.random)
    counts = Counter(pick(EXCHANGE).id for _ in range(20_000))
    chi_square = sum((counts[str(i)] - 20_000 / count) ** 2 * count / 20_000 for i in range(1, count + 1))
    assert chi_square < 40  # 99.99 % of 9 degrees is 33.7


def test_one_busy_endpoint_does_not_favour_its_neighbour(chance: random.Random) -> None:
    some = endpoints(1, 1, 1, 1)
    some[1].in_flight = 5
    pick = least_request(ready(some), chance.random)
    counts = Counter(pick(EXCHANGE).id for _ in range(12_000))
    assert set(counts) == {"1", "3", "4"}
    assert max(counts.values()) < 1.15 * min(counts.values())


@pytest.mark.parametrize("weights", [(2, 3, 4), (1, 10), (1, 2, 3, 4, 5, 6)])
def test_idle_endpoints_get_their_weights_share(weights: tuple[int, ...], chance: random.Random) -> None:
    pick = least_request(ready(endpoints(*weights)), chance.random)
    counts = Counter(pick(EXCHANGE).id for _ in range(30_000))
    for number, weight in enumerate(weights, 1):
        share = weight / sum(weights)
        assert counts[str(number)] == pytest.approx(30_000 * share, rel=0.35 if len(weights) > 4 else 0.1)


def test_under_load_running_calls_follow_the_weights(chance: random.Random) -> None:
    light, heavy = endpoint("1", weight=1), endpoint("2", weight=3)
    pick = least_request(ready((light, heavy)), chance.random)
    for _ in range(400):
        pick(EXCHANGE).in_flight += 1
    assert light.in_flight == pytest.approx(100, abs=10)


def test_of_many_endpoints_the_busiest_is_never_picked(chance: random.Random) -> None:
    some = tuple(endpoint(str(i), in_flight=i) for i in range(10))
    for choices in (2, 3):
        pick = least_request(ready(some), chance.random, choices)
        counts = Counter(pick(EXCHANGE).id for _ in range(5000))
        assert "9" not in counts
        assert counts["0"] > counts["5"] > 0 or choices == 3


def test_more_choices_find_the_least_busy_more_often(chance: random.Random) -> None:
    some = tuple(endpoint(str(i), in_flight=i) for i in range(10))
    found = [
        sum(least_request(ready(some), chance.random, choices)(EXCHANGE).id == "0" for _ in range(4000)) / 4000
        for choices in (2, 5, 8)
    ]
    assert found == pytest.approx([0.2, 0.5, 0.8], abs=0.05)


def test_a_lone_endpoint_is_picked() -> None:
    assert least_request(ready(endpoints(1)), random.random)(EXCHANGE).id == "1"


@pytest.mark.parametrize("place", range(5))
def test_of_five_endpoints_the_least_busy_is_among_the_two_in_two_of_five_draws(
    place: int, chance: random.Random
) -> None:
    some = tuple(endpoint(str(i), in_flight=0 if i == place else 3) for i in range(5))
    pick = least_request(ready(some), chance.random)
    assert sum(pick(EXCHANGE).id == str(place) for _ in range(8000)) / 8000 == pytest.approx(0.4, abs=0.03)

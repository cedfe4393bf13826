"""Round robin is an order, not a chance."""

import random
from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from gateway.balancing.pick import Pick
from gateway.balancing.round_robin import LONGEST_ORDER, RoundRobin, smooth_order
from tests.parts.calls import call
from tests.parts.endpoints import endpoints, ready

EXCHANGE = call()


def picks(pick: Pick, count: int) -> str:
    return " ".join(pick(EXCHANGE).id for _ in range(count))


def test_nine_calls_over_three_equal_endpoints_go_round_from_the_first() -> None:
    pick = RoundRobin(random.random, workers=1)(ready(endpoints(1, 1, 1)))
    assert picks(pick, 9) == "1 2 3 1 2 3 1 2 3"


def test_weights_two_three_four_interleave_smoothly() -> None:
    pick = RoundRobin(random.random, workers=1)(ready(endpoints(2, 3, 4)))
    assert picks(pick, 9) == "3 2 1 3 2 3 1 2 3"
    assert picks(pick, 9) == "3 2 1 3 2 3 1 2 3"
    assert Counter(picks(pick, 900).split()) == {"1": 200, "2": 300, "3": 400}


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_in_one_period_each_endpoint_gets_exactly_its_weight(weights: list[int]) -> None:
    order = Counter(islice(smooth_order(weights), sum(weights)))
    assert order == dict(enumerate(weights))


def test_a_period_too_long_to_keep_gives_the_same_order() -> None:
    weights = (LONGEST_ORDER, 1)
    pick = RoundRobin(random.random, workers=1)(ready(endpoints(*weights)))
    picked = Counter(picks(pick, LONGEST_ORDER + 1).split())
    assert picked == {"1": LONGEST_ORDER, "2": 1}


def test_it_keeps_its_place_when_endpoints_come_and_go() -> None:
    balancer = RoundRobin(random.random, workers=1)
    one, two, three = endpoints(1, 1, 1)
    assert picks(balancer(ready((one, two, three))), 4) == "1 2 3 1"
    assert picks(balancer(ready((one, two))), 2) == "2 1"
    assert picks(balancer(ready((one, two, three))), 3) == "2 3 1"
    assert picks(balancer(ready((one, three))), 2) == "3 1"


def test_workers_begin_at_different_places() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed).random
    starts = Counter(picks(RoundRobin(chance, workers=4)(ready(endpoints(1, 1, 1))), 1) for _ in range(300))
    assert set(starts) == {"1", "2", "3"}
    weighted = Counter(picks(RoundRobin(chance, workers=4)(ready(endpoints(1, 2, 3))), 1) for _ in range(300))
    assert len(weighted) > 1


def test_workers_together_differ_by_at_most_their_number() -> None:
    chance = random.Random(7).random
    counts: Counter[str] = Counter()
    for _ in range(4):
        counts.update(picks(RoundRobin(chance, workers=4)(ready(endpoints(1, 1, 1))), 100).split())
    assert max(counts.values()) - min(counts.values()) <= 4

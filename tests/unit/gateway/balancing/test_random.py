"""Random is a chance, and is judged as one: chi-square over many picks, seed printed."""

import random
from collections import Counter

import pytest

from gateway.balancing.random import alias_table, random_pick
from tests.parts.calls import call
from tests.parts.endpoints import endpoints, ready

EXCHANGE = call()
# 99.99 % of the distribution with 2 and 3 degrees of freedom.
CHI_SQUARE = {2: 18.42, 3: 21.11}


@pytest.mark.parametrize("weights", [(1, 1, 1), (2, 3, 4), (1, 10, 100), (1, 1, 1, 7)])
def test_ninety_thousand_picks_follow_the_weights(weights: tuple[int, ...]) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    pick = random_pick(ready(endpoints(*weights)), random.Random(seed).random)
    draws = 90_000
    counts = Counter(pick(EXCHANGE).id for _ in range(draws))
    expected = {str(i): draws * weight / sum(weights) for i, weight in enumerate(weights, 1)}
    chi_square = sum((counts[i] - wanted) ** 2 / wanted for i, wanted in expected.items())
    assert chi_square < CHI_SQUARE[len(weights) - 1]


def test_the_alias_table_holds_exactly_the_weights() -> None:
    weights = [5.0, 1.0, 1.0, 3.0]
    shares, aliases = alias_table(weights)
    held = [0.0] * 4
    for index, (share, alias) in enumerate(zip(shares, aliases, strict=True)):
        held[index] += share
        held[alias] += 1.0 - share
    assert held == pytest.approx([weight * 4 / sum(weights) for weight in weights])


def test_a_draw_next_to_one_stays_in_the_table() -> None:
    assert random_pick(ready(endpoints(1, 2, 3)), lambda: 1.0 - 2**-53)(EXCHANGE).id in {"1", "2", "3"}

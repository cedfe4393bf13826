"""Shares are by weight, a weight that grows draws keys and moves no others, and every worker decides alike."""

from collections import Counter

import pytest

from gateway.balancing.rendezvous import Ranking
from gateway.balancing.stable_hash import stable_hash

KEYS = [stable_hash(b"user %d" % number) for number in range(20_000)]


def winners(names: list[bytes], *weights: int) -> list[bytes]:
    ranking = Ranking(names, weights)
    return [names[ranking.winner(key)] for key in KEYS]


@pytest.mark.parametrize("weights", [(1, 1), (90, 10), (5, 3, 2), (1,) * 8])
def test_keys_are_divided_by_weight(weights: tuple[int, ...]) -> None:
    names = [b"v%d" % number for number in range(len(weights))]
    counts = Counter(winners(names, *weights))
    for name, weight in zip(names, weights, strict=True):
        share = weight / sum(weights)
        five_sigma = 5 * (len(KEYS) * share * (1 - share)) ** 0.5
        assert abs(counts[name] - len(KEYS) * share) < five_sigma


def test_from_ten_to_twenty_percent_moves_a_tenth_and_none_back() -> None:
    before, after = winners([b"v1", b"v2"], 90, 10), winners([b"v1", b"v2"], 80, 20)
    moves = Counter((old, new) for old, new in zip(before, after, strict=True) if old != new)
    assert set(moves) == {(b"v1", b"v2")}
    assert moves[b"v1", b"v2"] / len(KEYS) == pytest.approx(0.1, abs=0.012)


def test_the_order_of_the_destinations_does_not_matter() -> None:
    assert winners([b"v1", b"v2"], 70, 30) == winners([b"v2", b"v1"], 30, 70)


def test_the_second_is_drawn_by_weight_as_well() -> None:
    ranking = Ranking([b"v1", b"v2", b"v3"], (2, 1, 1))
    counts = Counter(tuple(ranking.order(key)[:2]) for key in KEYS)
    for (first, second), share in {(0, 1): 1 / 4, (1, 0): 1 / 6, (1, 2): 1 / 12}.items():
        five_sigma = 5 * (len(KEYS) * share * (1 - share)) ** 0.5
        assert abs(counts[first, second] - len(KEYS) * share) < five_sigma


def test_the_winner_is_the_first_of_the_order() -> None:
    ranking = Ranking([b"v%d" % number for number in range(5)], (1, 0, 3, 2, 1))
    assert [ranking.winner(key) for key in KEYS[:500]] == [ranking.order(key)[0] for key in KEYS[:500]]


def test_who_has_no_weight_is_never_asked() -> None:
    assert Ranking([b"v1", b"v2", b"v3"], (1, 0, 1)).order(KEYS[0]) in ([0, 2], [2, 0])

"""The test of shares against simulated calls: what it promises at every look, and how soon it finds what is there."""

import random
from math import log

from registry.rollouts.shares import (
    Count,
    difference_interval,
    evidence_above,
    evidence_below,
    evidence_of_difference,
    share_interval,
)

# Of three steps and two measures at a confidence of 99 %.
NEEDED = -log(0.01 / 6)


def hits(chance: random.Random, share: float, calls: int) -> int:
    return sum(chance.random() < share for _ in range(calls))


def found_after(
    chance: random.Random, canary: float, control: float, margin: float, most: int, needed: float
) -> int | None:
    """Calls of each, looked at after every 50; None: not found."""
    of = to = calls = 0
    while calls < most:
        calls += 50
        of += hits(chance, canary, 50)
        to += hits(chance, control, 50)
        if evidence_of_difference(Count(of, calls), Count(to, calls), margin) >= needed:
            return calls
    return None


def test_an_equal_canary_is_found_worse_at_any_look_no_more_often_than_promised() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, runs, allowed = random.Random(seed), 300, 0.10
    for share in (0.002, 0.05):
        wrong = sum(found_after(chance, share, share, 0.0, 2_000, -log(allowed)) is not None for _ in range(runs))
        # What chance alone lets a true share of `allowed` show, once in a million runs of this test.
        assert wrong <= runs * allowed + 5.0 * (runs * allowed * (1 - allowed)) ** 0.5


def test_as_much_worse_as_is_allowed_is_not_worse() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, allowed = random.Random(seed), 0.10
    wrong = sum(found_after(chance, 0.02, 0.01, 0.01, 2_000, -log(allowed)) is not None for _ in range(200))
    assert wrong <= 200 * allowed + 5.0 * (200 * allowed * (1 - allowed)) ** 0.5


def test_three_points_more_failures_are_found_within_some_thousand_calls() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    found = [found_after(chance, 0.035, 0.005, 0.01, 20_000, NEEDED) for _ in range(25)]
    after = sorted(calls for calls in found if calls is not None)
    assert len(after) == 25
    assert after[12] < 3_500
    print("calls of each, median and most:", after[12], after[-1])


def test_an_interval_holds_the_truth_at_every_look() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, runs, allowed, missed = random.Random(seed), 60, 0.10, 0
    for _ in range(runs):
        of = to = calls = 0
        is_held = True
        for _ in range(15):
            calls += 100
            of += hits(chance, 0.06, 100)
            to += hits(chance, 0.04, 100)
            low, high = difference_interval(Count(of, calls), Count(to, calls), -log(allowed))
            is_held &= low <= 0.02 <= high
        missed += not is_held
    assert missed <= runs * allowed + 5.0 * (runs * allowed * (1 - allowed)) ** 0.5


def test_what_the_interval_leaves_out_is_what_is_found() -> None:
    of, to = Count(90, 2_000), Count(10, 2_000)
    low, high = difference_interval(of, to, NEEDED)
    assert 0.01 < low < 0.04 < high
    assert evidence_of_difference(of, to, low - 1e-3) >= NEEDED
    assert evidence_of_difference(of, to, low + 1e-3) < NEEDED
    (first, last) = share_interval(of, NEEDED)
    assert first < 0.045 < last


def test_without_failures_the_interval_begins_at_none_and_closes() -> None:
    few, many = share_interval(Count(0, 100), NEEDED), share_interval(Count(0, 100_000), NEEDED)
    assert few[0] == many[0] == 0.0
    assert many[1] < few[1] < 0.2


def test_evidence_has_two_sides() -> None:
    assert evidence_above(0.01, Count(80, 2_000)) > NEEDED
    assert evidence_below(0.01, Count(80, 2_000)) < 0.0
    assert evidence_below(0.01, Count(1, 2_000)) > NEEDED
    assert evidence_above(0.01, Count(1, 2_000)) < 0.0


def test_everything_failing_is_found_and_nothing_at_all_says_nothing() -> None:
    assert evidence_of_difference(Count(200, 200), Count(0, 200), 0.01) > NEEDED
    assert evidence_of_difference(Count(0, 0), Count(0, 0), 0.01) <= 0.0
    assert difference_interval(Count(0, 0), Count(0, 0), NEEDED) == (-1.0, 1.0)

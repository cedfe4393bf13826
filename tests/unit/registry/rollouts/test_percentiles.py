"""The test of percentiles against simulated durations."""

import random
from math import log

from meshway.histogram import bucket_of
from registry.rollouts.percentiles import Durations, evidence_above_ratio, ratio_interval

NEEDED = -log(0.01 / 6)


def add(chance: random.Random, buckets: dict[int, int], scale: float, calls: int) -> None:
    for _ in range(calls):
        bucket = bucket_of(0.05 * scale * chance.lognormvariate(0.0, 0.5))
        buckets[bucket] = buckets.get(bucket, 0) + 1


def found_after(chance: random.Random, scale: float, ratio: float, look: int, most: int, needed: float) -> int | None:
    canary: dict[int, int] = {}
    control: dict[int, int] = {}
    for calls in range(look, most + 1, look):
        add(chance, canary, scale, look)
        add(chance, control, 1.0, look)
        if evidence_above_ratio(Durations(canary), Durations(control), ratio) >= needed:
            return calls
    return None


def test_an_equal_canary_is_found_slower_at_any_look_no_more_often_than_promised() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, runs, allowed = random.Random(seed), 60, 0.10
    wrong = sum(found_after(chance, 1.0, 1.0, 250, 2_500, -log(allowed)) is not None for _ in range(runs))
    assert wrong <= runs * allowed + 5.0 * (runs * allowed * (1 - allowed)) ** 0.5


def test_a_p99_of_half_as_much_again_is_found() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    found = [found_after(chance, 1.5, 1.2, 500, 30_000, NEEDED) for _ in range(7)]
    after = sorted(calls for calls in found if calls is not None)
    assert len(after) == 7
    print("calls of each, median and most:", after[3], after[-1])


def test_the_interval_holds_the_ratio_and_its_ends_are_what_is_found() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, canary, control = random.Random(seed), dict[int, int](), dict[int, int]()
    add(chance, canary, 2.0, 20_000)
    add(chance, control, 1.0, 20_000)
    of, to = Durations(canary), Durations(control)
    low, high = ratio_interval(of, to, NEEDED)
    assert high is not None
    assert 1.4 < low < 2.0 < high < 2.9
    assert evidence_above_ratio(of, to, low * 0.99) >= NEEDED
    assert evidence_above_ratio(of, to, low * 1.01) < NEEDED
    first, last = to.interval(NEEDED)
    assert last is not None
    assert to.percentile_s is not None
    assert first <= to.percentile_s <= last


def test_few_calls_leave_the_interval_open() -> None:
    few = Durations({bucket_of(0.1): 30})
    assert few.interval(NEEDED)[1] is None
    assert ratio_interval(few, few, NEEDED) == (0.0, None)
    assert Durations({}).percentile_s is None

import random

import pytest

from gateway.upstream.ratio_window import RatioWindow, lower_bound


def test_what_is_older_than_the_window_does_not_count() -> None:
    window = RatioWindow(10.0)
    window.add(True, 100.0)
    window.add(False, 105.0)
    assert window.counts(108.9) == (2, 1)
    assert window.counts(110.1) == (1, 0)
    assert window.counts(1000.0) == (0, 0)


def test_it_never_counts_more_than_the_window_nor_less_than_nine_tenths_of_it() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    window, now, log = RatioWindow(10.0), 50.0, []
    for _ in range(3000):
        now += chance.expovariate(10.0)
        log.append(now)
        window.add(False, now)
        total, _ = window.counts(now)
        assert sum(at > now - 9.0 for at in log[-400:]) <= total <= sum(at > now - 10.0 for at in log[-400:])


def test_cleared_it_begins_anew() -> None:
    window = RatioWindow(10.0)
    window.add(True, 100.0)
    window.clear()
    window.add(False, 101.0)
    assert window.counts(101.0) == (1, 0)


def test_the_lower_bound_of_a_share_is_wilsons() -> None:
    assert lower_bound(3 / 20, 20, 1.6449) == pytest.approx(0.062, abs=0.001)
    assert lower_bound(12 / 60, 60, 1.6449) == pytest.approx(0.129, abs=0.001)
    assert lower_bound(0.2, 10**9, 1.6449) == pytest.approx(0.2, abs=0.0001)

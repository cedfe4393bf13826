"""No window of any place holds more than the limit, nobody is refused whom the segments do not explain, and time is the
test's."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.sliding_window import SlidingWindows
from tests.parts.exact_window import ExactWindow


def admitted(windows: SlidingWindows, times: list[float]) -> list[float]:
    return [at for at in times if windows.take("k", at) > 0.0]


def test_a_window_of_three_admits_three_and_the_next_when_their_segment_has_left() -> None:
    windows = SlidingWindows(3, 10.0, segments=10)
    assert admitted(windows, [0.5, 0.6, 0.7, 0.8, 9.0, 10.9]) == [0.5, 0.6, 0.7]
    assert windows.wait_s("k", 10.9) == pytest.approx(0.1)
    assert admitted(windows, [11.0, 11.1]) == [11.0, 11.1]


def test_an_exact_window_admits_the_next_when_the_first_call_has_left() -> None:
    windows = SlidingWindows(2, 10.0, exact=True)
    assert admitted(windows, [0.5, 4.0, 10.4, 10.5, 10.6, 14.0]) == [0.5, 4.0, 10.5, 14.0]


def test_whoever_is_refused_is_told_when_to_come_back_and_what_is_left() -> None:
    windows = SlidingWindows(2, 10.0, segments=10)
    assert (windows.left("k", 0.0), windows.reset_s("k", 0.0)) == (2.0, 0.0)
    assert windows.take("k", 0.0) == pytest.approx(11.0)
    assert [windows.left("k", 3.0), windows.reset_s("k", 3.0)] == pytest.approx([1.0, 8.0])
    assert windows.take("k", 3.5) == pytest.approx(10.5)
    assert windows.take("k", 4.0) == pytest.approx(-7.0)
    assert [windows.wait_s("k", 4.0, ahead) for ahead in range(4)] == pytest.approx([7.0, 10.0, 17.0, 20.0])
    assert windows.wait_s("k", 11.0) == 0.0


def test_keys_do_not_share_and_the_one_unused_longest_is_dropped() -> None:
    windows = SlidingWindows(1, 10.0, max_keys=2)
    assert [windows.take(key, 0.0) > 0.0 for key in ("a", "b", "a", "c", "a")] == [True, True, False, True, True]
    assert (windows.keys, windows.dropped) == (2, 2)


def test_workers_share_and_each_has_at_least_one_call() -> None:
    windows = SlidingWindows(10, 10.0, workers=3)
    assert len(admitted(windows, [1.0] * 10)) == 3
    windows.share(100)
    assert windows.left("other", 1.0) == 1.0


@pytest.mark.parametrize("exact", [False, True])
def test_what_another_has_counted_counts_here_beside_the_own(exact: bool) -> None:
    old, new = SlidingWindows(4, 10.0, exact=exact), SlidingWindows(4, 10.0, exact=exact)
    assert admitted(old, [1.0, 1.2, 5.0]) == [1.0, 1.2, 5.0]
    assert admitted(new, [6.0]) == [6.0]
    new.adopt(old.spent(7.0), 7.0)
    assert (new.left("k", 7.0), new.left("k", 12.5), new.left("k", 20.0)) == (0.0, 2.0, 4.0)


def test_adopting_keeps_to_the_bound_of_keys() -> None:
    old, new = SlidingWindows(4, 10.0), SlidingWindows(4, 10.0, max_keys=2)
    for key in "abc":
        old.take(key, 1.0)
    new.adopt(old.spent(2.0), 2.0)
    assert ([key for key, _ in new.spent(2.0)], new.dropped) == (["b", "c"], 1)


@given(
    limit=st.integers(1, 12),
    segments=st.integers(1, 60),
    exact=st.booleans(),
    steps=st.lists(st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0, 7.0]) | st.floats(0, 15), max_size=120),
)
def test_no_window_is_exceeded_and_no_refusal_is_undue(
    limit: int, segments: int, exact: bool, steps: list[float]
) -> None:
    windows = SlidingWindows(limit, 10.0, segments, exact=exact)
    judge = ExactWindow(10.0)
    longest_s = 10.0 if exact else 10.0 * (1.0 + 1.0 / segments)
    now = random.Random(len(steps)).random()
    for step in steps:
        now += step
        took = windows.take("k", now)
        if took > 0.0:
            judge.admit(now)
            assert judge.count(now) <= limit, "a window holds more than the limit"
            assert took <= longest_s + 1e-9
        else:
            assert judge.within(now, longest_s) >= limit, "refused although the calls that count were fewer"
            assert windows.take("k", now - took + 1e-6) > 0.0 or took == 0.0
            judge.admit(now - took + 1e-6)
            now = now - took + 1e-6

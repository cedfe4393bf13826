from random import Random

import pytest

from gateway.exchange import NEVER
from gateway.relay.deadline import FARTHEST_S, TICK_S, TimerWheel
from gateway.wire.interfaces import Timer, TimerOwner


class Owner:
    def __init__(self) -> None:
        self.told: list[float] = []

    def on_timer(self, now: float) -> None:
        self.told.append(now)


def test_an_owner_is_told_once_and_not_before_it_is_due() -> None:
    wheel, timer, owner = TimerWheel(100.0), Timer(), Owner()
    wheel.set(timer, owner, 100.5)
    wheel.advance(100.49)
    assert owner.told == []
    wheel.advance(100.52)
    wheel.advance(200.0)
    assert owner.told == [100.52]


def test_a_timer_set_later_waits_for_the_later_time() -> None:
    wheel, timer, owner = TimerWheel(100.0), Timer(), Owner()
    wheel.set(timer, owner, 100.5)
    wheel.set(timer, owner, 103.0)
    wheel.advance(102.9)
    assert owner.told == []
    wheel.advance(103.02)
    assert owner.told == [103.02]


def test_a_timer_set_earlier_does_not_wait_for_the_later_time() -> None:
    wheel, timer, owner = TimerWheel(100.0), Timer(), Owner()
    wheel.set(timer, owner, 160.0)
    wheel.set(timer, owner, 101.0)
    wheel.advance(101.02)
    assert owner.told == [101.02]
    wheel.advance(161.0)
    assert owner.told == [101.02]


def test_an_unset_timer_tells_nobody_and_leaves_the_wheel() -> None:
    wheel, timer, owner = TimerWheel(100.0), Timer(), Owner()
    wheel.set(timer, owner, 101.0)
    timer.due = NEVER
    wheel.advance(102.0)
    assert owner.told == []
    assert len(wheel) == 0


def test_a_timer_that_is_over_leaves_the_wheel_within_a_minute_however_far_its_end_was() -> None:
    wheel, owner = TimerWheel(100.0), Owner()
    for n in range(1_000):
        timer = Timer()
        wheel.set(timer, owner, 3_700.0 + n / 10)
        timer.due, timer.owner = NEVER, None
    wheel.advance(100.0 + FARTHEST_S + 2 * TICK_S)
    assert (len(wheel), owner.told) == (0, [])


def test_a_timer_of_an_hour_is_told_when_it_is_over_and_filed_once_until_then() -> None:
    wheel, timer, owner = TimerWheel(100.0), Timer(), Owner()
    now, most = 100.0, 0
    wheel.set(timer, owner, 3_700.0)
    while now < 3_699.9:
        now += 0.7
        if now < 1_000.0:
            wheel.set(timer, owner, 3_700.0 - now / 1_000)  # a little earlier each time
        elif now < 1_001.0:
            wheel.set(timer, owner, 3_700.0)
        wheel.advance(min(now, 3_699.9))
        most = max(most, len(wheel))
    assert (owner.told, most) == ([], 1)
    wheel.advance(3_700.02)
    assert (owner.told, len(wheel)) == ([3_700.02], 0)


def test_an_owner_that_fails_keeps_no_other_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def on_timer(self, now: float) -> None:
            raise ValueError(now)

    wheel, timers, owners = TimerWheel(100.0), [Timer() for _ in range(4)], [Owner() for _ in range(3)]
    told: list[TimerOwner] = [owners[0], Failing(), *owners[1:]]
    for timer, owner, due in zip(timers, told, (100.501, 100.502, 100.503, 100.6), strict=True):
        wheel.set(timer, owner, due)
    wheel.advance(100.7)
    assert [owner.told for owner in owners] == [[100.7]] * 3
    assert "ValueError: 100.7" in caplog.text
    wheel.set(timers[1], owners[0], 101.0)
    wheel.advance(101.1)
    assert owners[0].told == [100.7, 101.1]


def test_setting_a_timer_again_and_again_files_it_once() -> None:
    wheel, timer, owner = TimerWheel(100.0), Timer(), Owner()
    for n in range(10_000):
        wheel.set(timer, owner, 160.0 + n / 1000)
    assert len(wheel) == 1


def test_what_is_already_due_is_told_at_the_next_tick() -> None:
    wheel, timer, owner = TimerWheel(100.0), Timer(), Owner()
    wheel.advance(105.0)
    wheel.set(timer, owner, 104.0)
    wheel.advance(105.0 + 2 * TICK_S)
    assert len(owner.told) == 1


def test_an_owner_may_set_its_timer_again_while_it_is_told() -> None:
    wheel, timer = TimerWheel(100.0), Timer()
    told: list[float] = []

    class Again:
        def on_timer(self, now: float) -> None:
            told.append(now)
            wheel.set(timer, self, now + 1.0)

    wheel.set(timer, Again(), 101.0)
    for n in range(1, 500):
        wheel.advance(100.0 + n / 100)
    assert len(told) in (3, 4)


def test_a_random_course_agrees_with_a_plain_list() -> None:
    seed = Random().randrange(1 << 32)
    print(f"seed {seed}")
    random = Random(seed)
    now = 1000.0
    wheel = TimerWheel(now)
    timers = [Timer() for _ in range(20)]
    owners = [Owner() for _ in range(20)]
    due = [NEVER] * 20
    for _ in range(5_000):
        at = random.randrange(20)
        if random.random() < 0.2:
            timers[at].due = due[at] = NEVER
        else:
            due[at] = now + random.choice((0.0, 0.005, 0.02, 0.3, 2.0, 60.0, 600.0)) * random.random()
            wheel.set(timers[at], owners[at], due[at])
        now += random.choice((0.001, 0.01, 0.05, 5.0 if random.random() < 0.01 else 0.0))
        wheel.advance(now)
        for which, owner in enumerate(owners):
            if owner.told:
                assert due[which] <= now
                due[which] = NEVER
                owner.told.clear()
            else:
                assert due[which] == NEVER or now <= due[which] + 0.1, "told too late"


def test_timers_that_are_lent_one_after_another_are_filed_once_and_told_to_the_last_owner() -> None:
    wheel, first, last = TimerWheel(100.0), Owner(), Owner()
    for n in range(1_000):
        timer = wheel.lend()
        wheel.set(timer, first, 115.0 + n / 1000)
        wheel.take_back(timer)
    assert len(wheel) == 1
    wheel.set(wheel.lend(), last, 117.0)
    wheel.advance(116.0)
    wheel.advance(117.02)
    assert (first.told, last.told) == ([], [117.02])


def test_timers_that_are_lent_at_once_are_others_each() -> None:
    wheel = TimerWheel(100.0)
    lent = [wheel.lend() for _ in range(10)]
    assert len(set(map(id, lent))) == 10
    for timer in lent:
        wheel.take_back(timer)
    again = [wheel.lend() for _ in range(10)]
    assert set(map(id, again)) == set(map(id, lent))

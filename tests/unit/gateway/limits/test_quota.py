from math import inf

from gateway.limits.calendar import Calendar
from gateway.limits.quota import Quotas

DAY_S = 86_400.0


class Wall:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def quotas(limit: int, wall: Wall, **fields: int) -> Quotas:
    return Quotas(limit, Calendar("day", "UTC", wall), **fields)


def test_a_day_has_so_many_calls_and_the_next_one_as_many_again() -> None:
    wall = Wall()
    day = quotas(2, wall)
    assert [day.take("k", 100.0), day.take("k", 200.0)] == [DAY_S, DAY_S - 100.0]
    assert day.take("k", 300.0) == -(DAY_S - 200.0)
    assert (day.left("k", 300.0), day.left("other", 300.0)) == (0.0, 2.0)
    wall.now_s = DAY_S
    assert day.wait_s("k", 100.0 + DAY_S) == 0.0
    assert day.left("k", 100.0 + DAY_S) == 2.0


def test_a_clock_on_the_wall_that_was_set_back_gives_nothing_twice() -> None:
    wall = Wall()
    day = quotas(1, wall)
    day.take("k", 0.0)
    wall.now_s = DAY_S - 60.0
    assert day.wait_s("k", DAY_S) == 60.0


def test_a_call_counts_for_its_cost_and_what_is_owed_is_not_forgotten() -> None:
    day = quotas(10, Wall())
    assert [day.wait_s("k", 0.0, 0, 10), day.wait_s("k", 0.0, 1, 10), day.wait_s("k", 0.0, 0, 11)] == [0.0, DAY_S, inf]
    day.spend("k", 0.0, 14)
    assert day.left("k", 0.0) == 0.0


def test_another_worker_goes_on_with_the_count_of_the_same_day() -> None:
    wall = Wall()
    old, new = quotas(5, wall), quotas(5, wall)
    old.spend("k", 0.0, 3)
    new.spend("k", 0.0)
    new.adopt(old.spent(0.0), 0.0)
    assert new.left("k", 0.0) == 1.0
    told = old.spent(0.0)
    wall.now_s = DAY_S
    tomorrow = quotas(5, wall)
    tomorrow.adopt(told, 0.0)
    assert tomorrow.left("k", 0.0) == 5.0


def test_a_worker_has_its_share_and_forgets_the_longest_unused() -> None:
    day = quotas(9, Wall(), max_keys=2, workers=4)
    assert day.left("a", 0.0) == 2.0
    for key in "abac":
        day.spend(key, 0.0)
    assert ([key for key, _ in day.spent(0.0)], day.dropped) == (["a", "c"], 1)

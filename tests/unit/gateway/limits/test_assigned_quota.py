"""Workers that share a quota spend it to the last call and no further, and the next day has as many again."""

from functools import partial

import pytest

from meshway.assignments.messages import Budget
from tests.parts.shared_limit import SharedLimit

DAY_S = 86_400.0


def quota(limit: int) -> Budget:
    return Budget(id="l", kind="period", limit=limit, rate=limit / DAY_S, window_s=DAY_S)


def shared(limit: int, seed: int, at: float, **fields: float) -> SharedLimit:
    return SharedLimit(quota(limit), workers=8, seed=seed, begins=at, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("who", [None, [3]], ids=["all", "one worker"])
def test_a_quota_is_spent_to_the_last_call_and_no_further(who: list[int] | None) -> None:
    mesh = shared(500, 1, 100.0)
    mesh.load(100.0, 100.0, 115.0, who)
    mesh.clock.run_until(115.0)
    assert 499 <= len(mesh.admitted) <= 500


def test_the_next_day_has_as_many_again_and_what_is_left_of_the_old_one_is_worth_nothing() -> None:
    mesh = shared(200, 2, DAY_S - 5.0)
    mesh.load(100.0, DAY_S - 5.0, DAY_S + 5.0)
    mesh.clock.run_until(DAY_S + 5.0)
    today = sum(at < DAY_S for at in mesh.admitted)
    assert 198 <= today <= 200
    assert 198 <= len(mesh.admitted) - today <= 200


def test_a_call_of_many_is_not_starved_by_calls_of_one() -> None:
    mesh = shared(1000, 3, 100.0)
    mesh.load(20.0, 100.0, 110.0)
    for second in range(10):
        mesh.clock.at(100.0 + second, partial(mesh.all[second % 8].call, cost=60))
    mesh.clock.run_until(112.0)
    assert len(mesh.admitted) >= 600 + 150
    assert mesh.refused == 0


def test_a_refused_caller_is_told_the_end_of_the_day() -> None:
    mesh = shared(1, 4, DAY_S - 100.0)
    first, *_ = mesh.all
    first.call()
    mesh.clock.run_until(DAY_S - 99.0)
    first.call()
    mesh.clock.run_until(DAY_S - 98.0)
    assert (len(mesh.admitted), mesh.refused) == (1, 1)
    assert first.limit.reset_s("k", DAY_S - 98.0) == 98.0


@pytest.mark.parametrize("way_s", [0.001, 0.05, 0.2])
def test_a_small_quota_refuses_nobody_while_calls_are_left_however_late_the_answers_are(way_s: float) -> None:
    mesh = shared(8, 6, DAY_S - 100.0, way_s=way_s)
    for number in range(8):
        mesh.clock.at(DAY_S - 100.0 + number * 0.01, mesh.all[number].call)
    mesh.clock.run_until(DAY_S - 90.0)
    assert (len(mesh.admitted), mesh.refused) == (8, 0)
    mesh.all[0].call()
    mesh.clock.run_until(DAY_S - 80.0)
    assert mesh.told == [pytest.approx(90.0, abs=2.0)], "all are spent: not before the day is over"


def test_the_last_calls_are_found_with_the_worker_that_holds_them() -> None:
    mesh = shared(20, 7, DAY_S - 100.0)
    busy, other = mesh.all[0], mesh.all[1]
    for number in range(10):
        mesh.clock.at(DAY_S - 100.0 + number * 0.005, busy.call)
    for number in range(10):
        mesh.clock.at(DAY_S - 99.9 + number * 0.001, other.call)
    mesh.clock.run_until(DAY_S - 90.0)
    assert (len(mesh.admitted), mesh.refused) == (20, 0)


def test_a_caller_whom_no_answer_reached_may_soon_come_back() -> None:
    mesh = shared(8, 8, DAY_S - 100.0, way_s=30.0)
    mesh.all[0].call()
    mesh.clock.run_until(DAY_S - 90.0)
    assert (mesh.admitted, mesh.told) == ([], [1.0])


def test_while_nobody_assigns_each_spends_its_share() -> None:
    mesh = shared(80, 5, 100.0)
    for worker in mesh.all:
        worker.desk.tell("the registry is away", 8)
    mesh.load(100.0, 100.0, 110.0)
    mesh.clock.run_until(110.0)
    assert len(mesh.admitted) == 80

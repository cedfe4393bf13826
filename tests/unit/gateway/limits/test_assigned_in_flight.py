"""Workers that share places for running calls: never more run than may, and nearly all are used."""

import random
from functools import partial

import pytest

from gateway.limits.assigned_in_flight import AssignedInFlight
from meshway.assignments.messages import Budget
from tests.parts.shared_limit import SharedLimit, strict_places

SECONDS = 20.0


def places(limit: int) -> Budget:
    return Budget(id="l", kind="running", limit=limit, rate=1.0)


@pytest.mark.parametrize("who", [None, [0, 1], [5]], ids=["all", "one gateway", "one worker"])
@pytest.mark.parametrize(("limit", "lasts_s"), [(40, 0.1), (16, 1.0), (5, 0.05)])
def test_never_more_run_at_once_and_nearly_all_places_are_used(
    limit: int, lasts_s: float, who: list[int] | None
) -> None:
    mesh = SharedLimit(places(limit), workers=8, seed=1, lasts_s=lasts_s)
    mesh.load(4.0 * limit / lasts_s, 0.0, SECONDS, who)
    mesh.clock.run_until(SECONDS)
    assert mesh.most_running <= limit
    # Fewer places than workers are on the way from one to another more often.
    assert len(mesh.admitted) * lasts_s >= (0.88 if limit >= 8 else 0.8) * limit * SECONDS


@pytest.mark.parametrize("times", [0.3, 0.6, 0.9, 1.5])
@pytest.mark.parametrize(("limit", "workers"), [(8, 4), (5, 8), (40, 8)])
def test_no_place_lies_idle_with_one_worker_while_others_refuse(limit: int, workers: int, times: float) -> None:
    mesh = SharedLimit(places(limit), workers, seed=9, lasts_s=0.1)
    moments = mesh.load(times * limit / 0.1, 0.0, SECONDS)
    mesh.clock.run_until(SECONDS)
    assert mesh.most_running <= limit
    chance = random.Random(9)
    exact = strict_places(limit, lambda: 0.1 * chance.uniform(0.5, 1.5), moments)
    assert len(mesh.admitted) >= 0.92 * exact


def test_bursts_that_move_from_worker_to_worker_find_all_places() -> None:
    mesh = SharedLimit(places(8), workers=4, seed=10, lasts_s=0.1)
    for burst in range(40):
        worker = mesh.random.choice(mesh.all)
        for _ in range(8):
            mesh.clock.at(burst * 0.25, worker.call)
    mesh.clock.run_until(11.0)
    assert mesh.most_running <= 8
    assert len(mesh.admitted) >= 0.98 * 320


def test_a_large_limit_far_from_full_is_asked_for_seldom() -> None:
    mesh = SharedLimit(places(1000), workers=8, seed=11, lasts_s=0.1)
    moments = mesh.load(3000.0, 0.0, 3.0)
    mesh.clock.run_until(3.0)
    assert mesh.refused == 0
    assert mesh.asked <= 0.05 * len(moments)


def test_far_below_the_limit_nobody_is_refused() -> None:
    mesh = SharedLimit(places(64), workers=8, seed=2, lasts_s=0.1)
    moments = mesh.load(150.0, 0.0, SECONDS)
    mesh.clock.run_until(SECONDS)
    assert (mesh.refused, len(mesh.admitted)) == (0, len(moments))
    waits = [wait_s for worker in mesh.all for wait_s in worker.waits]
    assert sum(wait_s > 0.0 for wait_s in waits) < 0.25 * len(waits)


def test_with_patience_calls_wait_for_a_place_and_places_go_to_where_they_wait() -> None:
    mesh = SharedLimit(places(8), workers=4, seed=3, lasts_s=0.1, patience_s=5.0)
    moments = mesh.load(72.0, 0.0, SECONDS)
    mesh.clock.run_until(SECONDS + 5.0)
    assert mesh.most_running <= 8
    assert len(mesh.admitted) >= 0.99 * len(moments)


def test_the_places_of_a_worker_that_dies_are_others_after_a_while() -> None:
    mesh = SharedLimit(places(8), workers=2, seed=4, lasts_s=0.5)
    mesh.load(100.0, 0.0, 5.0, [0])
    mesh.clock.run_until(5.0)
    mesh.all[0].is_alive = False
    mesh.load(100.0, 9.0, 19.0, [1])
    mesh.clock.run_until(19.0)
    late = sum(at >= 9.0 for at in mesh.admitted)
    assert late * 0.5 >= 0.8 * 8 * 10.0


def test_while_nobody_assigns_each_runs_its_share_and_what_runs_is_claimed_when_somebody_does() -> None:
    mesh = SharedLimit(places(8), workers=4, seed=5, lasts_s=1.0)
    for worker in mesh.all:
        worker.desk.tell("the registry is away", 4)
    mesh.load(200.0, 0.0, 9.0)
    mesh.clock.run_until(2.0)
    assert mesh.most_running == 8, "two each"
    for worker in mesh.all:
        worker.desk.tell("", 4)
    mesh.clock.run_until(5.0)  # within a second all have told what they run, and that is over after two more
    mesh.most_running = 0
    mesh.clock.run_until(9.0)
    assert mesh.most_running == 8


def test_an_answer_that_is_late_is_waited_for_and_nobody_is_refused_before_it() -> None:
    mesh = SharedLimit(places(8), workers=4, seed=6, way_s=0.2, lasts_s=5.0)
    for number in range(12):
        mesh.clock.at(0.0, partial(mesh.all[number % 4].call))
    mesh.clock.run_until(0.05)
    assert (len(mesh.admitted), mesh.refused) == (0, 0)
    mesh.clock.run_until(4.0)
    assert (len(mesh.admitted), mesh.refused, mesh.most_running) == (8, 4, 8)


def test_keys_that_nobody_uses_are_given_back_and_forgotten() -> None:
    mesh = SharedLimit(places(8), workers=1, seed=7)
    (worker,) = mesh.all
    worker.call()
    mesh.clock.run_until(15.0)
    asked = mesh.asked
    mesh.clock.run_until(30.0)
    assert mesh.asked == asked
    assert worker.limit.left("k", 30.0) == 8.0


def test_keys_that_nobody_uses_are_forgotten_while_nobody_assigns() -> None:
    mesh = SharedLimit(places(8), workers=1, seed=8)
    (worker,) = mesh.all
    worker.desk.tell("the registry is away", 1)
    limit = worker.limit
    assert isinstance(limit, AssignedInFlight)
    for number in range(100):
        assert limit.take(f"k{number}", 0.0) == 0.0
    limit.take("runs on", 0.0)
    for number in range(100):
        limit.release(f"k{number}", 0.1)
    for now in (1.0, 2.0, 3.0):
        limit.advance(now)
    assert list(limit._keys) == ["runs on"]
    limit.release("runs on", 3.5)
    limit.advance(5.0)
    assert not limit._keys


def test_a_key_that_was_asked_for_when_the_book_was_lost_is_forgotten_too() -> None:
    mesh = SharedLimit(places(8), workers=1, seed=12, way_s=5.0)
    (worker,) = mesh.all
    worker.limit.look("k", 0.0)
    mesh.clock.run_until(0.1)
    worker.desk.tell("the registry is away", 1)
    mesh.clock.run_until(3.0)
    limit = worker.limit
    assert isinstance(limit, AssignedInFlight)
    assert not limit._keys


def test_looking_takes_nothing_and_is_asked_once() -> None:
    mesh = SharedLimit(places(8), workers=2, seed=13, lasts_s=5.0)
    for _ in range(8):
        mesh.all[0].call()
    mesh.clock.run_until(0.5)
    other = mesh.all[1].limit
    assert other.left("k", 0.5) == 8.0, "nobody has told it"
    asked = mesh.asked
    for _ in range(5):
        other.look("k", 0.5)
    mesh.clock.run_until(0.6)
    assert (mesh.asked - asked, other.left("k", 0.6)) == (1, 0.0)
    mesh.clock.run_until(10.0)
    assert isinstance(other, AssignedInFlight)
    assert not other._keys

"""Workers that share a limit never exceed it together, use nearly all of it, and mostly no call waits for an answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.limits.shared import ANSWER_S
from meshway.assignments.messages import Budget
from tests.parts.shared_limit import SharedLimit, excess_of_bucket, most_in_a_window, strict_bucket

GRAIN = 1e-3  # of a call: what the floats of two ways of counting differ by
SECONDS = 60.0


def bucket(rate: float, burst: int) -> Budget:
    return Budget(id="default/five@route/default/r", rate=rate, limit=burst)


def window(limit: int, seconds: float, segments: int = 10) -> Budget:
    return Budget(id="w", kind="window", rate=limit / seconds, limit=limit, window_s=seconds, segments=segments)


@pytest.mark.parametrize("who", [None, [0, 1], [5]], ids=["all", "one gateway", "one worker"])
@pytest.mark.parametrize(("rate", "burst", "times"), [(100, 100, 10), (100, 100, 1.5), (20, 60, 5), (1 / 6, 10, 20)])
def test_over_a_minute_the_strict_limit_is_kept_and_98_percent_of_it_admitted(
    rate: float, burst: int, times: float, who: list[int] | None
) -> None:
    mesh = SharedLimit(bucket(rate, burst), workers=8, seed=1)
    moments = mesh.load(rate * times, 0.0, SECONDS, who)
    mesh.clock.run_until(SECONDS)
    assert excess_of_bucket(rate, burst, mesh.admitted) <= GRAIN
    assert len(mesh.admitted) >= 0.98 * len(strict_bucket(rate, burst, moments))


def test_below_the_limit_nobody_is_refused_and_nobody_waits_for_an_answer() -> None:
    mesh = SharedLimit(bucket(200.0, 400), workers=8, seed=2, way_s=0.005)
    moments = mesh.load(100.0, 0.0, SECONDS)
    mesh.clock.run_until(SECONDS)
    waits = [wait_s for worker in mesh.all for wait_s in worker.waits]
    assert (mesh.refused, len(waits)) == (0, len(moments))
    assert max(waits) == 0.0
    assert mesh.asked <= len(moments)


def test_calls_move_from_one_worker_to_another_and_the_limit_with_them() -> None:
    mesh = SharedLimit(bucket(50.0, 50), workers=8, seed=3)
    moments = mesh.load(200.0, 0.0, 20.0, [0, 1]) + mesh.load(200.0, 20.0, 40.0, [6, 7])
    mesh.clock.run_until(40.0)
    assert excess_of_bucket(50.0, 50, mesh.admitted) <= GRAIN
    late = [at for at in mesh.admitted if at > 20.0]
    assert len(late) >= 0.97 * len([at for at in strict_bucket(50.0, 50, moments) if at > 20.0])


def test_the_part_of_a_worker_that_dies_is_not_lost_for_long() -> None:
    mesh = SharedLimit(bucket(50.0, 50), workers=4, seed=4)
    moments = mesh.load(200.0, 0.0, 30.0, [0, 1])
    mesh.clock.run_until(10.0)
    mesh.all[0].is_alive = False
    mesh.clock.run_until(30.0)
    assert excess_of_bucket(50.0, 50, mesh.admitted) <= GRAIN
    late = [at for at in mesh.admitted if at > 12.0]
    assert len(late) >= 0.95 * len([at for at in strict_bucket(50.0, 50, moments) if at > 12.0])


@pytest.mark.parametrize("who", [None, [0]], ids=["all", "one worker"])
def test_no_window_of_any_place_is_exceeded(who: list[int] | None) -> None:
    mesh = SharedLimit(window(100, 5.0), workers=8, seed=5)
    mesh.load(60.0, 0.0, SECONDS, who)
    mesh.clock.run_until(SECONDS)
    assert 97 <= most_in_a_window(5.0, mesh.admitted) <= 100
    # A window of ten segments lets a call count for up to 1.1 windows.
    assert len(mesh.admitted) >= 0.98 * 100 * SECONDS / 5.5


def test_with_patience_calls_above_the_limit_wait_in_line_for_what_comes() -> None:
    mesh = SharedLimit(bucket(50.0, 50), workers=4, seed=6, patience_s=2.0)
    moments = mesh.load(60.0, 0.0, 20.0)
    mesh.clock.run_until(23.0)
    waits = [wait_s for worker in mesh.all for wait_s in worker.waits]
    assert excess_of_bucket(50.0, 50, mesh.admitted) <= GRAIN
    assert len(mesh.admitted) >= 0.98 * min(len(moments), 50 * 21)
    assert 0.2 < max(waits) <= 2.0 + 2 * ANSWER_S


def test_answers_that_come_late_let_few_calls_ahead_and_never_above_the_limit() -> None:
    mesh = SharedLimit(bucket(100.0, 100), workers=8, seed=7, way_s=0.04)
    moments = mesh.load(50.0, 0.0, 20.0)
    mesh.clock.run_until(21.0)
    assert excess_of_bucket(100.0, 100, mesh.admitted) <= GRAIN
    assert len(mesh.admitted) >= 0.97 * len(moments)
    assert sum(worker.limit.late for worker in mesh.all) > 0


@pytest.mark.parametrize(
    # What is granted of a window is worth nothing 0.2 s after the asking.
    ("budget", "way_s"), [(bucket(0.01, 8), 0.1), (window(8, 1000.0), 0.045)], ids=["bucket", "window"]
)  # fmt: skip
def test_a_small_limit_refuses_nobody_before_the_book_has_said_that_nothing_is_left(
    budget: Budget, way_s: float
) -> None:
    mesh = SharedLimit(budget, workers=8, seed=15, way_s=way_s)
    for worker in mesh.all:
        mesh.clock.at(0.0, worker.call)
    mesh.clock.run_until(0.03)
    assert (len(mesh.admitted), mesh.refused) == (0, 0)
    mesh.clock.run_until(2.0)
    assert (len(mesh.admitted), mesh.refused) == (8, 0)
    mesh.all[0].call()
    mesh.clock.run_until(5.0)
    assert (len(mesh.admitted), mesh.refused) == (8, 1)


def test_while_nobody_assigns_each_worker_counts_its_share_and_goes_back_when_somebody_does() -> None:
    mesh = SharedLimit(bucket(80.0, 80), workers=8, seed=8)
    mesh.load(400.0, 0.0, 10.0)
    for worker in mesh.all:
        worker.desk.tell("the registry is away", 8)
    mesh.clock.run_until(5.0)
    alone = len(mesh.admitted)
    assert 0.95 * 480 <= alone <= 480
    assert sum(worker.assigned.alone.decided for worker in mesh.all) == alone
    assert mesh.asked == 0
    for worker in mesh.all:
        worker.desk.tell("", 8)
    mesh.clock.run_until(10.0)
    assert len(mesh.admitted) - alone <= 80 + 400
    assert len(mesh.admitted) - alone >= 0.95 * (80 + 400)


def test_who_waits_when_the_store_is_lost_is_decided_alone_and_who_waits_when_it_is_back_is_asked_for() -> None:
    mesh = SharedLimit(bucket(2.0, 2), workers=1, seed=9, patience_s=3.0)
    (worker,) = mesh.all
    for _ in range(6):
        worker.call()
    mesh.clock.run_until(0.2)
    worker.desk.tell("away", 1)
    mesh.clock.run_until(0.5)
    worker.desk.tell("", 1)
    mesh.clock.run_until(4.0)
    assert len(mesh.admitted) >= 6


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1 << 32),
    workers=st.integers(1, 12),
    rate=st.sampled_from([0.5, 3.0, 20.0, 90.0]),
    burst=st.integers(1, 150),
    way_ms=st.sampled_from([0.2, 1.0, 8.0]),
    phases=st.lists(st.tuples(st.floats(0.2, 4.0), st.floats(0.1, 6.0), st.integers(1, 12)), min_size=1, max_size=4),
    dies=st.booleans(),
)
def test_whatever_is_wanted_where_no_strict_bucket_is_overdrawn(
    seed: int,
    workers: int,
    rate: float,
    burst: int,
    way_ms: float,
    phases: list[tuple[float, float, int]],
    dies: bool,
) -> None:
    """phases: seconds, demand in multiples of the rate, and how many workers have it."""
    mesh = SharedLimit(bucket(rate, burst), workers, seed, way_s=way_ms / 1e3)
    begin = 0.0
    for seconds, times, busy in phases:
        who = mesh.random.sample(range(workers), min(busy, workers))
        mesh.load(rate * times + 0.1, begin, begin + seconds, who)
        begin += seconds
    mesh.clock.run_until(begin / 2)
    mesh.all[0].is_alive = not dies
    mesh.clock.run_until(begin + 1.0)
    assert excess_of_bucket(rate, burst, mesh.admitted) <= GRAIN


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1 << 32),
    workers=st.integers(1, 8),
    limit=st.integers(1, 120),
    segments=st.integers(1, 60),
    demand=st.floats(0.2, 5.0),
)
def test_whatever_is_wanted_no_window_is_exceeded(
    seed: int, workers: int, limit: int, segments: int, demand: float
) -> None:
    mesh = SharedLimit(window(limit, 2.0, segments), workers, seed)
    mesh.load(demand * limit / 2.0, 0.0, 9.0)
    mesh.clock.run_until(10.0)
    assert most_in_a_window(2.0, mesh.admitted) <= limit


def test_keys_leave_the_worker_as_digests_and_are_told_apart() -> None:
    mesh = SharedLimit(bucket(10.0, 10), workers=1, seed=10)
    (worker,) = mesh.all
    secret = "Bearer 0123456789" * 20
    asked = [worker.limit.ask_of(key, "w", 0, 0.0).key for key in (secret, secret + "x", secret, "")]
    assert asked[0] == asked[2] != asked[1]
    assert [len(key) for key in asked] == [32, 32, 32, 0]
    assert all("Bearer" not in key for key in asked)


def test_the_next_worker_pays_back_what_was_borrowed() -> None:
    mesh = SharedLimit(bucket(10.0, 80), workers=2, seed=11, way_s=1.0)
    old, new = mesh.all
    for _ in range(9):
        old.call()
    assert len(mesh.admitted) == 9
    assert old.limit.spent(0.0) == [("k", [-9.0])]
    assert new.limit.wait_s("k", 0.0) == 0.0
    new.limit.adopt(old.limit.spent(0.0), 0.0)
    assert new.limit.wait_s("k", 0.0) == ANSWER_S
    mesh.clock.run_until(5.0)
    assert new.limit.spent(5.0) == []


def test_the_next_worker_goes_on_with_what_was_counted_alone() -> None:
    mesh = SharedLimit(bucket(1.0, 4), workers=2, seed=14)
    old, new = mesh.all
    for worker in mesh.all:
        worker.desk.tell("away", 2)
    for _ in range(3):
        old.call()
    assert len(mesh.admitted) == 2
    new.limit.adopt(old.limit.spent(0.0), 0.0)
    new.call()
    assert len(mesh.admitted) == 2
    assert new.limit.left("k", 0.0) == 0.0


def test_the_key_unused_longest_is_forgotten() -> None:
    mesh = SharedLimit(bucket(10.0, 80), workers=1, seed=12)
    limit = mesh.all[0].assigned
    limit._max_keys = 2
    for key in ("a", "b", "a", "c"):
        limit.spend(key, 0.0)
    assert limit.dropped == 1
    assert [key for key, _ in limit.spent(0.0)] == ["a", "c"]


def test_what_is_left_is_told_by_what_the_store_said_and_what_was_spent_since() -> None:
    mesh = SharedLimit(bucket(10.0, 80), workers=2, seed=13)
    limit = mesh.all[0].limit
    assert (limit.left("k", 0.0), limit.reset_s("k", 0.0)) == (80.0, 0.0)
    for _ in range(30):
        mesh.all[0].call()
        mesh.clock.run_until(mesh.clock() + 0.02)
    now = mesh.clock()
    assert 40.0 <= limit.left("k", now) <= 80.0 - 20.0
    assert 0.0 < limit.reset_s("k", now) <= 6.0
    for worker in mesh.all:
        worker.desk.tell("away", 2)
    assert (limit.left("k", now), limit.reset_s("k", now)) == (40.0, 0.0)

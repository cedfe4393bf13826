from gateway.limits.in_flight import SOON_S, InFlight


def test_so_many_run_at_once_and_another_when_one_is_over() -> None:
    counts = InFlight(2)
    assert [counts.take("k", 0.0), counts.take("k", 0.0), counts.take("k", 0.0)] == [0.0, 0.0, -SOON_S]
    assert (counts.left("k", 0.0), counts.left("other", 0.0)) == (0.0, 2.0)
    counts.release("k", 0.0)
    assert counts.wait_s("k", 0.0) == 0.0
    assert counts.wait_s("k", 0.0, ahead=1) == SOON_S


def test_a_key_without_calls_is_not_kept_and_an_end_too_many_is_none() -> None:
    counts = InFlight(1)
    counts.spend("k", 0.0)
    counts.release("k", 0.0)
    counts.release("k", 0.0)
    assert (counts.left("k", 0.0), counts.take("k", 0.0), counts.take("k", 0.0)) == (1.0, 0.0, -SOON_S)


def test_each_worker_may_run_its_share_and_one_at_least() -> None:
    assert [InFlight(limit, workers).left("k", 0.0) for limit, workers in ((9, 4), (2, 4))] == [2.0, 1.0]


def test_running_calls_stay_with_the_worker_that_runs_them() -> None:
    counts = InFlight(3)
    counts.spend("k", 0.0)
    assert counts.spent(0.0) == []

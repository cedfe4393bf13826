"""A worker that cannot ask the others."""

from math import inf
from typing import Literal

import pytest

from gateway.limits.alone import Alone
from gateway.limits.desk import Desk
from gateway.limits.token_bucket import TokenBuckets
from tests.parts.clock import ManualClock


class Bench:
    def __init__(self, on_failure: Literal["local_share", "open", "closed"], workers: int = 1) -> None:
        self.desk = Desk("1", lambda number, budgets, asks: None, lambda flush: None, ManualClock(), workers=workers)
        self.alone = Alone(TokenBuckets(rate=1.0, burst=4.0), self.desk, on_failure)

    def wait_s(self, spent: int) -> float:
        """Of a call that comes after so many."""
        for _ in range(spent):
            self.alone.spend("k", 0.0, 1)
        return self.alone.wait_s("k", 0.0, 0, 1)


@pytest.mark.parametrize(("on_failure", "wait_s"), [("local_share", 1.0), ("open", 0.0), ("closed", inf)], ids=str)
def test_a_call_above_the_share_waits_passes_or_never_does(
    on_failure: Literal["local_share", "open", "closed"], wait_s: float
) -> None:
    bench = Bench(on_failure)
    assert bench.wait_s(4) == pytest.approx(wait_s)
    assert bench.alone.decided == 4


def test_the_share_follows_the_number_of_workers_and_is_all_of_it_while_that_is_not_known() -> None:
    bench = Bench("local_share", workers=0)
    shares = []
    for workers in (0, 2, 4):
        bench.desk.workers = workers
        shares.append(bench.alone.counts().left("k", 0.0))
    assert shares == [4.0, 2.0, 1.0]


def test_a_share_that_was_not_counted_by_is_whole() -> None:
    """What passes an open limit is no debt of the count that comes after it."""
    bench = Bench("open")
    bench.wait_s(4)
    assert bench.alone.counts().left("k", 0.0) == 4.0

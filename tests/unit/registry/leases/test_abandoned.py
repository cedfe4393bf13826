from __future__ import annotations

import pytest

from registry.leases.abandoned import AbandonedHolds
from registry.live.memory import MemoryLive
from registry.store.interface import StoreUnavailable
from tests.parts.clock import ManualClock
from tests.parts.fake_store import FakeStore


class Live(MemoryLive):
    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.begun = 0
        self.hears = True

    async def begin_anew(self) -> bool:
        self.begun += 1
        return self.hears


class Held(FakeStore):
    """is_abandoned: nobody leads. takes: whether it takes writes."""

    takes = True

    async def lead(self, what: str) -> bool:
        return not self.is_abandoned

    async def forget_abandoned(self, what: str) -> None:
        if not self.takes:
            raise StoreUnavailable("disk full")
        await super().forget_abandoned(what)


async def test_leases_begin_anew_when_who_held_the_sweep_off_does_not_come_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()
    store, live = Held(), Live(clock)
    holds = AbandonedHolds(store, live)
    await holds.look()
    assert live.begun == 0
    store.is_abandoned = True
    for _ in range(2):
        await holds.look()
        clock.advance(0.5)
    assert live.begun == 0, "it may be about to take it again"
    clock.advance(1.0)
    live.hears = False
    await holds.look()
    assert (live.begun, store.is_abandoned) == (1, True)
    live.hears, store.takes = True, False
    await holds.look()
    assert (live.begun, store.is_abandoned) == (2, True)
    store.takes = True
    await holds.look()
    assert (live.begun, store.is_abandoned) == (3, False)
    assert caplog.records[-1].message.endswith("all leases count as renewed")
    clock.advance(10.0)
    await holds.look()
    assert live.begun == 3


async def test_one_that_takes_its_hold_again_is_left_alone() -> None:
    clock = ManualClock()
    store, live = Held(), Live(clock)
    holds = AbandonedHolds(store, live)
    for is_abandoned in (True, False, True):
        store.is_abandoned = is_abandoned
        await holds.look()
        clock.advance(1.0)
    assert live.begun == 0

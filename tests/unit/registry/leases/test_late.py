from __future__ import annotations

import asyncio
import random

import pytest

from meshway.tasks import spawn
from registry.catalog.registering import Registered
from registry.leases.late import LateLeases
from registry.live.interface import CRITICAL, Lease
from registry.live.memory import MemoryLive
from tests.parts.clock import ManualClock
from tests.parts.lease_bench import LeaseBench

TTL_S = 30


def live_with(clock: ManualClock, left_s: list[float], zone: str = "a") -> MemoryLive:
    """One lease each, of which so much is left."""
    live = MemoryLive(clock)
    for number, left in enumerate(left_s):
        live.start(
            Lease(
                lease_id=f"{number}-1-t",
                number=number,
                generation=1,
                namespace="default",
                service="s",
                id=str(number),
                zone=zone,
                ttl_s=TTL_S,
                expires_s=clock() + left,
            )
        )
    return live


async def test_late_is_who_has_less_than_a_quarter_left_by_zone() -> None:
    clock = ManualClock()
    live = live_with(clock, [30.0, 7.6, 7.4, 0.1, -1.0, 3.0])
    other = live.find(5)
    assert other is not None
    other.zone = "b"
    assert await LateLeases(live).count() == {("default", "a"): 3, ("default", "b"): 1}


async def test_who_answers_calls_or_is_critical_is_not_late() -> None:
    clock = ManualClock()
    live = live_with(clock, [1.0, 1.0, 1.0])
    answering, critical = live.find(0), live.find(1)
    assert answering is not None
    assert critical is not None
    live.answered([answering])
    critical.state = CRITICAL
    assert await LateLeases(live).count() == {("default", "a"): 1}


async def test_they_are_counted_again_when_that_costs_little() -> None:
    clock = ManualClock()
    live = live_with(clock, [8.0] * 1000)
    late = LateLeases(live)
    assert await late.count() == {}
    clock.advance(0.6)
    assert await late.count() == {("default", "a"): 1000}
    clock.advance(0.009)
    live.renew([f"{number}-1-t" for number in range(500)])
    assert await late.count() == {("default", "a"): 1000}
    clock.advance(0.002)
    assert await late.count() == {("default", "a"): 500}


async def test_who_expired_is_not_counted_twice() -> None:
    clock = ManualClock()
    live = live_with(clock, [1.0] * 10)
    late = LateLeases(live)
    await late.count()
    late.gone([lease for lease in live.leases() if lease.number < 4])
    assert await late.count() == {("default", "a"): 6}


async def test_others_get_their_turns_while_many_are_counted() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    live = live_with(ManualClock(), [1.0] * 20_000)
    other = spawn(take_turns(), name="others")
    await asyncio.sleep(0)
    assert await LateLeases(live).count() == {("default", "a"): 20_000}
    other.cancel()
    assert turns >= 4


class Beating:
    """Instances that beat `every_s`, each with a phase of its own, as a crowd does. `silent`: they do not any more."""

    def __init__(self, count: int, every_s: float, seed: int) -> None:
        self.bench = LeaseBench()
        self.silent: set[int] = set()
        self._every_s = every_s
        chance = random.Random(seed)
        self._rows: list[Registered] = []
        self._next_s: list[float] = []
        for at in range(count):
            self._rows.append(self.bench.register(instance_id=f"b{at}", ttl_s=TTL_S))
            self._next_s.append(self.bench.clock() + chance.uniform(0, every_s))

    async def pass_by(self, seconds: float, step_s: float = 0.2) -> None:
        end_s = self.bench.clock() + seconds
        while self.bench.clock() < end_s:
            self.bench.clock.advance(step_s)
            due = [at for at, when in enumerate(self._next_s) if when <= self.bench.clock() and at not in self.silent]
            for at in due:
                self._next_s[at] += self._every_s
            if due:
                await self.bench.renew(*(self._rows[at] for at in due))
            await self.bench.leases.sweep()

    def critical(self) -> set[int]:
        rows = self.bench.view.services["default", "books"]
        return {at for at in range(len(self._rows)) if rows[f"b{at}"].instance.status == "critical"}


@pytest.mark.parametrize("every_s", [TTL_S / 3, TTL_S / 2])
async def test_nobody_expires_when_all_fall_silent_at_once(every_s: float) -> None:
    beating = Beating(400, every_s, seed=1)
    await beating.pass_by(2 * TTL_S)
    assert beating.bench.leases.holds == []
    beating.silent = set(range(400))
    await beating.pass_by(2 * TTL_S)
    assert beating.critical() == set()
    assert [hold.overdue for hold in beating.bench.leases.holds] == [400]
    beating.silent = set()
    await beating.pass_by(every_s + 1.0)
    assert (beating.critical(), beating.bench.leases.holds) == (set(), [])


@pytest.mark.parametrize("every_s", [TTL_S / 3, TTL_S / 2])
async def test_one_host_of_many_that_dies_is_expired_in_time(every_s: float) -> None:
    beating = Beating(400, every_s, seed=2)
    await beating.pass_by(TTL_S)
    beating.silent = set(range(40))
    await beating.pass_by(TTL_S + 1.0)
    assert beating.critical() == beating.silent
    assert beating.bench.leases.holds == []


async def test_one_after_the_other_over_an_hour_holds_nobody() -> None:
    beating = Beating(100, TTL_S / 3, seed=3)
    held = 0
    for at in range(60):
        beating.silent.add(at)
        await beating.pass_by(60.0, step_s=1.0)
        held += len(beating.bench.leases.holds)
    assert held == 0
    # The first have been removed by now.
    assert beating.bench.leases.count < 100
    assert all(beating.bench.status(("default", "books", f"b{at}")) in (None, "critical") for at in range(60))
    assert all(beating.bench.status(("default", "books", f"b{at}")) == "passing" for at in range(60, 100))

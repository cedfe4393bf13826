from __future__ import annotations

import asyncio

import pytest

from meshway.tasks import spawn
from registry.leases import company
from registry.leases.company import ALONE, Company, TakenOver
from registry.settings import StartRefused
from tests.parts.conditions import until
from tests.parts.fake_store import FakeStore


class Lock(FakeStore):
    """leads: what the next questions are answered; the last holds on."""

    def __init__(self, *leads: bool) -> None:
        super().__init__()
        self.leads = list(leads)
        self.asked = 0
        self.shares = True
        self.shared: list[str] = []

    async def lead(self, what: str) -> bool:
        self.asked += 1
        return self.leads[min(self.asked, len(self.leads)) - 1]

    async def share(self, what: str) -> bool:
        self.shared.append(what)
        return self.shares


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_WAIT_S", 0.05), ("_TRY_EVERY_S", 0.01), ("_LOOK_EVERY_S", 0.001)):
        monkeypatch.setattr(company, name, value)


async def test_the_lock_of_one_that_just_ended_is_waited_for() -> None:
    store = Lock(False, False, True)
    await Company(store, has_redis=False).take()
    assert store.asked == 3


async def test_a_second_one_is_refused_with_one_line_and_its_mend() -> None:
    with pytest.raises(StartRefused) as refused:
        await Company(Lock(False), has_redis=False).take()
    assert "give all of them the same --redis-url" in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_one_with_redis_shares_the_lock_and_names_the_one_without() -> None:
    store = Lock(True)
    await Company(store, has_redis=True).take()
    assert (store.asked, store.shared) == (0, [ALONE])
    store.shares = False
    with pytest.raises(StartRefused, match=r"^a registry without Redis serves this database") as refused:
        await Company(store, has_redis=True).take()
    assert "give all of them the same --redis-url" in str(refused.value)


async def test_one_whose_place_was_taken_ends() -> None:
    async with asyncio.timeout(5):
        with pytest.raises(TakenOver):
            await Company(Lock(True, False), has_redis=False).run()


async def goes_on(store: Lock, looks: int) -> None:
    running = spawn(Company(store, has_redis=False).run(), name="look who has the lock")
    await until(lambda: store.asked > looks)
    assert not running.done()
    running.cancel()


async def test_a_lock_that_comes_back_and_a_store_that_is_away_end_nothing() -> None:
    await goes_on(Lock(*([False] * 14), True, *([False] * 14), True), looks=30)
    away = Lock(False)
    away.trouble = "no answer"
    await goes_on(away, looks=15)

from __future__ import annotations

import asyncio

import pytest

from registry.leases import place
from registry.leases.place import REFUSAL, AgreedPlace
from registry.settings import StartRefused
from tests.parts.conditions import until
from tests.parts.fake_store import FakeStore


class Agreeing(FakeStore):
    """agrees: what it says, None: it does not answer. It waits for the gate."""

    def __init__(self, *, agrees: bool | None) -> None:
        super().__init__()
        self.agrees = agrees
        self.said: list[str] = []

    async def lead(self, what: str) -> bool:
        return True

    async def agree(self, what: str, said: str) -> bool | None:
        self.said.append(said)
        await self.gate.wait()
        return self.agrees


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_WAIT_S", 0.05), ("_TRY_EVERY_S", 0.01), ("_LOOK_EVERY_S", 0.001), ("_ANSWER_S", 0.05)):
        monkeypatch.setattr(place, name, value)


async def test_whoever_shares_elsewhere_is_refused_and_leads_nothing() -> None:
    store = Agreeing(agrees=False)
    agreed = AgreedPlace(store)
    assert await agreed.reach("a") == agreed.refusal == REFUSAL
    assert not await agreed.lead("sweep")
    store.agrees = True
    assert await agreed.lead("sweep")
    assert agreed.refusal is None


async def test_without_a_place_only_the_lead_is_asked_for() -> None:
    store = Agreeing(agrees=False)
    assert await AgreedPlace(store).lead("sweep")
    assert store.said == []


async def test_a_start_is_refused_with_one_line_when_the_others_stay() -> None:
    store = Agreeing(agrees=False)
    agreed = AgreedPlace(store)
    await agreed.reach("a")
    with pytest.raises(StartRefused, match="give all of them the same --redis-url"):
        await agreed.settle()
    store.agrees = True
    await agreed.settle()
    assert agreed.refusal is None


async def test_a_store_that_is_away_changes_no_verdict_and_gives_no_lead() -> None:
    store = Agreeing(agrees=False)
    agreed = AgreedPlace(store)
    await agreed.reach("a")
    store.agrees = None
    assert await agreed.reach("a") == REFUSAL
    fresh = AgreedPlace(store)
    assert await fresh.reach("a") is None
    assert not await fresh.lead("sweep")


async def test_a_slow_store_is_not_waited_for_and_asked_once() -> None:
    store = Agreeing(agrees=False)
    store.gate.clear()
    agreed = AgreedPlace(store)
    assert await agreed.reach("a") is None
    assert await agreed.reach("a") is None
    assert store.said == ["a"]
    store.gate.set()
    await until(lambda: agreed.refusal == REFUSAL)


async def test_it_is_asked_again_and_again() -> None:
    store = Agreeing(agrees=True)
    agreed = AgreedPlace(store)
    await agreed.reach("a")
    store.agrees = False
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await agreed.run()
    assert agreed.refusal == REFUSAL

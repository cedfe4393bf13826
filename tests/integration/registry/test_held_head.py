"""A write that is judged for long holds the head of a shared store: it keeps it while it lives, and the others wait."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from meshway.problem import Problem
from registry.core import Core
from registry.documents.applying import Apply
from registry.documents.outcomes import Applied
from registry.revisions import following
from registry.revisions.draft import Apart, Draft
from registry.running import open_core
from registry.settings import RegistrySettings
from registry.store.postgres import head_hold
from tests.parts.conditions import until
from tests.parts.feed_bench import truth
from tests.parts.registry_bench import registration, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from registry.store.interface import ChangeRecord
    from tests.parts.valkey import Valkey

HOLD_S = 0.6
JUDGED_S = 2.0


class Long(Apart):
    """An apply of one document that is judged for `judged_s`, in a thread, as a large one is."""

    size = 1 << 20

    def __init__(self, judged_s: float) -> None:
        self._judged_s = judged_s
        self.has_begun = threading.Event()

    def judge(self, draft: Draft) -> Applied:
        self.has_begun.set()
        time.sleep(self._judged_s)
        return Apply([written("Service", "books", {})], (), "me").judge(draft)


@pytest.fixture
def pair(database_url: str, valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two registries over one store whose server ends a transaction that is silent for HOLD_S."""
    monkeypatch.setattr(head_hold, "_HOLD_MS", int(HOLD_S * 1000))
    monkeypatch.setattr(head_hold, "_SIGN_S", HOLD_S / 4)
    monkeypatch.setattr(head_hold, "_LOCK_MS", 200)
    settings = RegistrySettings(data_dir=tmp_path, database_url=database_url, redis_url=valkey.url)

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[Core, Core]]:
        async with AsyncExitStack() as stack:
            one, other = [await stack.enter_async_context(open_core(settings)) for _ in range(2)]
            assert one.following is not None
            one.following.is_contended = True  # as when the other has just committed in between
            yield one, other

    return opened


async def test_a_long_judging_keeps_the_head_and_the_others_wait_for_it(pair: Any) -> None:
    async with pair() as (one, other):
        long = Long(JUDGED_S)
        begun = time.monotonic()
        applied = one.revisions.submit(long)
        await until(long.has_begun.is_set)
        registered = other.catalog.register(registration())
        for _ in range(5):
            await asyncio.sleep(JUDGED_S / 10)
            assert (one.missing(), other.missing()) == ({}, {})
        assert other.following is not None
        assert await other.following.confirm(), "readers of the other are not kept waiting"
        assert not registered.done()
        assert (await applied).revision == 1
        assert time.monotonic() - begun > JUDGED_S > 3 * HOLD_S
        assert (await registered).revision == 2
        await until(lambda: one.view.revision == other.view.revision == 2)


@pytest.mark.parametrize("is_contended", [True, False])
async def test_who_judges_long_is_at_the_head_as_long_as_nobody_moves_it(
    pair: Any, monkeypatch: pytest.MonkeyPatch, is_contended: bool
) -> None:
    """Its view cannot move meanwhile; but where it is, it is no stale one."""
    async with pair() as (one, other):
        monkeypatch.setattr(following, "FRESH_S", JUDGED_S / 2)
        assert one.following is not None
        one.following.is_contended = is_contended
        long = Long(2 * JUDGED_S)
        applied = one.revisions.submit(long)
        await until(long.has_begun.is_set)
        begun = time.monotonic()
        while time.monotonic() < begun + JUDGED_S:
            assert one.following.is_fresh
            await asyncio.sleep(0.05)
        assert await one.following.confirm()
        registered = other.catalog.register(registration())
        if is_contended:
            assert await one.following.confirm(), "it holds the head"
        else:
            await registered
            assert not await one.following.confirm(), "another one has moved it"
            assert not applied.done()
        assert {(await applied).revision, (await registered).revision} == {1, 2}
        assert await one.following.confirm()
        await until(lambda: one.view.revision == other.view.revision == 2)
        assert truth(one) == truth(other)


async def test_one_that_shows_no_life_loses_the_head(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_hold, "_SIGN_S", 60.0)
    async with pair() as (one, other):
        long = Long(JUDGED_S)
        begun = time.monotonic()
        applied = one.revisions.submit(long)
        await until(long.has_begun.is_set)
        assert (await other.catalog.register(registration())).revision == 1
        assert time.monotonic() - begun < JUDGED_S
        with pytest.raises(Problem, match="does not answer"):
            await applied
        await until(lambda: one.view.revision == 1)
        assert (await one.catalog.register(registration(instance_id="b2"))).revision == 2


async def test_a_head_is_not_held_for_ever_and_not_waited_for_for_ever(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_hold, "_HOLD_S", HOLD_S)
    monkeypatch.setattr("registry.revisions.following.HEAD_WAIT_S", 0.1)
    async with pair() as (one, other):
        long = Long(JUDGED_S)
        applied = one.revisions.submit(long)
        await until(long.has_begun.is_set)
        with pytest.raises(Problem, match="in the midst of a large write"):
            await other.catalog.register(registration())
        with pytest.raises(Problem, match="does not answer"):
            await applied
        assert (await other.catalog.register(registration())).revision == 1


@pytest.mark.parametrize("count", [1, 400])
async def test_a_large_revision_of_another_registry_is_read_beside_the_loop(
    pair: Any, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    async with pair() as (one, other):
        assert other.following is not None
        read, threads = other.following._read, set[bool]()

        def noted(change: ChangeRecord) -> Any:
            threads.add(threading.current_thread() is threading.main_thread())
            return read(change)

        monkeypatch.setattr(other.following, "_read", noted)
        documents = [written("Service", f"s{at}", {}) for at in range(count)]
        await one.documents.apply([(each.document, each.spec) for each in documents], (), by="me")
        await until(lambda: other.view.revision == 1)
        assert threads == {count == 1}
        assert truth(one) == truth(other)

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from meshway.problem import Problem
from meshway.tasks import spawn
from registry.catalog.registering import RegisterOne
from registry.revisions.draft import Apart, Draft
from registry.revisions.revisions import MAX_BATCH_BYTES, MAX_BATCH_WRITES, MAX_WAITING, MAX_WAITING_BYTES, Revisions
from registry.store.interface import Batch
from tests.parts.conditions import until
from tests.parts.fake_store import FakeStore
from tests.parts.registry_bench import empty_view, registration


class Committing:
    def __init__(self) -> None:
        self.view = empty_view()
        self.store = FakeStore()
        self.revisions = Revisions(self.view, self.store, wall=lambda: 1.0)

    def register(self, instance_id: str, **fields: Any) -> asyncio.Future[Any]:
        return self.revisions.submit(RegisterOne(registration("books", instance_id, **fields), lambda row: None))


@asynccontextmanager
async def committing() -> AsyncIterator[Committing]:
    bench = Committing()
    task = spawn(bench.revisions.run(), name="committer")
    yield bench
    bench.store.gate.set()
    bench.revisions.close()
    await asyncio.wait_for(task, 5)


class Heavy(msgspec.Struct):
    size: int

    def judge(self, draft: Draft) -> int:
        return RegisterOne(registration("books", f"b{draft.revision}"), lambda row: None).judge(draft).revision


class Broken(msgspec.Struct):
    size: int = 1

    def judge(self, draft: Draft) -> None:
        raise ZeroDivisionError


async def test_what_is_queued_during_a_commit_becomes_the_next_one() -> None:
    async with committing() as bench:
        bench.store.gate.clear()
        first = bench.register("b0")
        await until(lambda: bench.store.waiting)
        rest = [bench.register(f"b{at}") for at in range(1, 50)]
        bench.store.gate.set()
        await asyncio.gather(first, *rest)
        assert [batch.head for batch in bench.store.batches] == [1, 50]
        assert [future.result().revision for future in [first, *rest]] == list(range(1, 51))


async def test_nobody_is_answered_and_nothing_is_seen_before_it_is_durable() -> None:
    async with committing() as bench:
        bench.store.gate.clear()
        future = bench.register("b0")
        await until(lambda: bench.store.waiting)
        assert not future.done()
        assert bench.view.revision == 0
        bench.store.gate.set()
        await future
        assert bench.view.revision == 1


async def test_a_batch_holds_no_more_writes_and_bytes_than_it_may() -> None:
    async with committing() as bench:
        bench.store.gate.clear()
        bench.register("b")
        await until(lambda: bench.store.waiting)
        waiting = [bench.register(f"b{at}") for at in range(MAX_BATCH_WRITES + 1)]
        heavy = [bench.revisions.submit(Heavy(MAX_BATCH_BYTES)) for _ in range(2)]
        bench.store.gate.set()
        await asyncio.gather(*waiting, *heavy)
        assert [batch.head - batch.base for batch in bench.store.batches] == [1, MAX_BATCH_WRITES, 1, 1, 1]


async def test_too_many_waiting_are_told_when_to_come_back() -> None:
    async with committing() as bench:
        bench.store.gate.clear()
        bench.register("b")
        await until(lambda: bench.store.waiting)
        waiting = [bench.register(f"b{at}") for at in range(MAX_WAITING)]
        with pytest.raises(Problem) as refused:
            bench.register("one-too-many")
        assert refused.value.status == 503
        assert refused.value.headers["Retry-After"] in ("1", "2", "3")
        bench.store.gate.set()
        await asyncio.gather(*waiting)


async def test_writes_that_wait_hold_no_more_bytes_than_they_may() -> None:
    async with committing() as bench:
        bench.store.gate.clear()
        bench.register("b")
        await until(lambda: bench.store.waiting)
        waiting = [bench.revisions.submit(Heavy(MAX_WAITING_BYTES // 4)) for _ in range(4)]
        with pytest.raises(Problem) as refused:
            bench.register("one-too-many")
        assert (refused.value.status, refused.value.code) == (503, "store_unavailable")
        bench.store.gate.set()
        await asyncio.gather(*waiting)
        # One alone is as large as it may be.
        assert await bench.revisions.submit(Heavy(2 * MAX_WAITING_BYTES)) == 6


async def test_a_refused_write_takes_no_revision_between_those_that_do() -> None:
    async with committing() as bench:
        one = bench.register("b1")
        stale = bench.register("b1", lease_id="1-0-old")
        other = bench.register("b2")
        done = await asyncio.gather(one, stale, other, return_exceptions=True)
        assert isinstance(done[1], Problem)
        assert (one.result().revision, other.result().revision) == (1, 2)


async def test_one_bad_row_does_not_take_the_others_with_it() -> None:
    async with committing() as bench:
        bench.store.refuses = lambda batch: any(row.id == "bad" for row in batch.instances)
        futures = [bench.register(name) for name in ("b1", "bad", "b2")]
        done = await asyncio.gather(*futures, return_exceptions=True)
        assert isinstance(done[1], Problem)
        assert done[1].status == 503
        assert [bench.view.instance(("default", "books", name)) is not None for name in ("b1", "bad", "b2")] == [
            True, False, True,
        ]  # fmt: skip
        assert bench.view.revision == 2


async def test_a_store_that_refuses_everything_is_asked_a_few_times_only() -> None:
    async with committing() as bench:
        asked: list[int] = []

        def refuses(batch: Batch) -> bool:
            asked.append(batch.head)
            return True

        bench.store.refuses = refuses
        done = await asyncio.gather(*[bench.register(f"b{at}") for at in range(100)], return_exceptions=True)
        assert all(isinstance(one, Problem) and one.status == 503 for one in done)
        assert len(asked) < 10
        assert bench.view.revision == 0
        bench.store.refuses = lambda batch: False
        assert (await bench.register("b1")).revision == 1


async def test_a_defect_in_one_write_is_that_writes_alone() -> None:
    async with committing() as bench:
        broken, fine = bench.revisions.submit(Broken()), bench.register("b1")
        with pytest.raises(Problem) as refused:
            await broken
        assert refused.value.status == 500
        assert (await fine).revision == 1


async def test_a_caller_that_went_away_does_not_hurt_the_committer() -> None:
    async with committing() as bench:
        gone, stays = bench.register("b1"), bench.register("b2")

        def explode(future: asyncio.Future[Any]) -> None:
            raise RuntimeError("closed connection")

        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        stays.add_done_callback(explode)
        gone.cancel()
        await stays
        assert (await bench.register("b3")).revision == 3


async def test_closing_answers_what_waits_and_takes_no_more() -> None:
    bench = Committing()
    future = bench.register("b1")
    bench.revisions.close()
    with pytest.raises(Problem):
        bench.register("b2")
    await asyncio.wait_for(bench.revisions.run(), 5)
    assert future.result().revision == 1


async def test_a_store_whose_head_moved_ends_the_committer() -> None:
    bench = Committing()

    async def moved(batch: object) -> None:
        raise RuntimeError("another head")

    bench.store.commit = moved  # type: ignore[method-assign]
    bench.register("b1")
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(bench.revisions.run(), 5)


async def test_a_write_that_takes_long_to_judge_leaves_the_loop_to_others() -> None:
    view, store = empty_view(), FakeStore()
    revisions = Revisions(view, store, wall=lambda: 1.0)
    committer = spawn(revisions.run(), name="committer")
    begun, go_on = threading.Event(), threading.Event()

    class Long(Apart):
        size = 16 << 20

        def judge(self, draft: Draft) -> str:
            begun.set()
            return "judged" if go_on.wait(5.0) else "nobody else had a turn"

    long = revisions.submit(Long())
    await until(begun.is_set)
    behind = revisions.submit(Long())
    go_on.set()
    assert [await long, await behind] == ["judged", "judged"]
    revisions.close()
    await committer


async def test_a_write_that_moves_leases_is_judged_between_two_heartbeats_however_large() -> None:
    class Sweeping:
        size = 16 << 20

        def judge(self, draft: Draft) -> int:
            return threading.get_ident()

    async with committing() as bench:
        assert await bench.revisions.submit(Sweeping()) == threading.get_ident()

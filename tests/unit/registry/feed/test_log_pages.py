"""Pages of the log are read once for all who stand at about the same place, and never of another history."""

from __future__ import annotations

import asyncio

import pytest

from registry.feed import log_pages
from registry.feed.log_pages import Behind, LogPages
from registry.store.interface import ChangeRecord
from registry.view.recent import Recent
from tests.parts.conditions import until
from tests.parts.fake_store import FakeStore
from tests.parts.feed_bench import FeedBench, Mirror, truth


class CountedStore(FakeStore):
    """reads: where each page that was read began."""

    def __init__(self, of: FakeStore) -> None:
        super().__init__()
        self.batches = of.batches
        self.reads: list[int] = []

    async def changes(self, first: int, limit: int) -> list[ChangeRecord]:
        self.reads.append(first)
        return await super().changes(first, limit)


def filled(count: int) -> tuple[FeedBench, CountedStore, LogPages]:
    bench = FeedBench()
    for port in range(1, count + 1):
        bench.register(port=port)
    store = CountedStore(bench.store)
    return bench, store, LogPages(bench.view, store)


async def test_all_who_come_back_at_about_the_same_place_share_a_page() -> None:
    bench, store, pages = filled(60)
    runs = await asyncio.gather(*(pages.after(at) for at in (20, 21, 20, 35, 59)))
    assert [[entry.revision for entry in run] for run in runs] == [
        list(range(first, 61)) for first in (21, 22, 21, 36, 60)
    ]
    assert store.reads == [21]
    runs[0].clear()  # what one takes is nobody else's loss
    assert len(await pages.after(20)) == 40
    assert (await pages.after(60), store.reads) == ([], [21, 61])
    assert bench.view.revision == 60


async def test_a_page_is_not_kept_when_nobody_has_asked_for_a_while() -> None:
    _, store, pages = filled(10)
    await pages.after(2)
    for _ in range(log_pages._TICKS):
        pages.tick()
    await pages.after(3)
    assert store.reads == [3]
    for _ in range(log_pages._TICKS + 1):
        pages.tick()
    await pages.after(3)
    assert store.reads == [3, 4]


async def test_a_page_of_another_history_is_not_shown() -> None:
    bench, store, pages = filled(10)
    await pages.after(2)
    bench.view.epoch = "another"
    await pages.after(2)
    assert store.reads == [3, 3]


async def test_what_was_compacted_is_told_and_what_the_view_lacks_is_not_shown() -> None:
    bench, store, pages = filled(10)
    del store.batches[4]
    assert [entry.revision for entry in await pages.after(2)] == [3, 4]
    with pytest.raises(Behind):
        await pages.after(4)
    bench.view.revision = 8
    assert [entry.revision for entry in await pages.after(6)] == [7, 8]
    assert await pages.after(8) == []
    bench.view.floor = 10
    with pytest.raises(Behind):
        await pages.after(8)


async def test_a_crowd_that_resumes_after_a_restart_reads_the_log_once() -> None:
    bench, store, pages = filled(200)
    bench.feed._pages = pages
    bench.view.recent = Recent(bench.view.revision)  # as a registry begins
    mirrors = [Mirror() for _ in range(50)]
    for at, mirror in enumerate(mirrors):
        mirror.revision, mirror.epoch = 100 + at % 7, "e1"
    followers = [mirror.follow(bench.feed) for mirror in mirrors]

    def caught_up() -> bool:
        for mirror, follower in zip(mirrors, followers, strict=True):
            mirror.drain(follower)
        return all(mirror.revision == 200 for mirror in mirrors)

    await until(caught_up)
    assert store.reads == [101]
    assert [mirror.resets for mirror in mirrors] == [[]] * 50
    assert [mirror.seen for mirror in mirrors] == [list(range(101 + at % 7, 201)) for at in range(50)]
    assert set(truth(bench)) == {("Instance", "default", "books/b1")}

"""The whole core on a real store: restarts, history, resumption, the end of the committer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshway.problem import Problem
from registry.core import Core
from registry.documents.document_key import Key
from registry.documents.documents import RevisionEntry
from registry.revisions.draft import Once
from registry.running import open_core
from registry.settings import RegistrySettings
from registry.store.interface import HeadMoved
from registry.view import recent
from tests.parts.clock import ManualClock
from tests.parts.conditions import until
from tests.parts.feed_bench import Mirror, truth
from tests.parts.registry_bench import registration, route_to, written


@asynccontextmanager
async def core_on(folder: Path, **options: Any) -> AsyncIterator[Core]:
    died: list[int] = []
    settings = RegistrySettings(
        data_dir=folder, **{k: v for k, v in options.items() if k in RegistrySettings.__struct_fields__}
    )
    clock = options.get("clock") or ManualClock()
    wall = options.get("wall") or time.time
    async with open_core(settings, die=lambda: died.append(1), clock=clock, wall=wall) as core:
        yield core
    assert len(died) == options.get("deaths", 0)


async def apply(core: Core, *documents: Any, delete: tuple[Key, ...] = (), **options: Any) -> Any:
    pairs = [(one.document, one.spec) for one in documents]
    return await core.documents.apply(pairs, delete, by="me", **options)


async def test_a_restart_brings_everything_back_and_renews_every_lease(tmp_path: Path) -> None:
    clock = ManualClock()
    async with core_on(tmp_path, clock=clock) as core:
        one = await core.catalog.register(registration(ttl_s=10))
        await apply(core, route_to("books"))
        before = truth(core)  # type: ignore[arg-type]
    clock.advance(3600)
    async with core_on(tmp_path, clock=clock) as core:
        assert truth(core) == before  # type: ignore[arg-type]
        assert (core.view.revision, core.view.namespaces) == (2, {"default"})
        assert core.leases.expires_in_s(1) == 10.0
        renewal = core.catalog.heartbeat([one.lease_id])
        assert not isinstance(renewal, asyncio.Future)
        assert renewal.renewed == 1
        with pytest.raises(Problem):  # what claims and references were is known again
            await apply(core, route_to("books", "other"))
        again = await core.catalog.register(registration("films", "f1"))
        assert again.lease_id.startswith("2-1-")
        assert again.revision == 3


async def test_a_follower_resumes_over_a_restart(tmp_path: Path) -> None:
    mirror = Mirror()
    async with core_on(tmp_path) as core:
        await core.catalog.register(registration())
        mirror.drain(mirror.follow(core.feed))
        for port in range(1, 20):
            await core.catalog.register(registration(port=port))
    async with core_on(tmp_path) as core:
        follower = mirror.follow(core.feed)

        def caught_up() -> bool:
            mirror.drain(follower)
            return mirror.revision == 20

        await until(caught_up)
        assert (mirror.seen, mirror.resets) == (list(range(2, 21)), [])
        follower.close()


async def test_one_that_was_away_beyond_the_log_gets_a_snapshot(tmp_path: Path) -> None:
    mirror = Mirror()
    async with core_on(tmp_path, log_revisions=5, log_age_s=0.0) as core:
        await core.catalog.register(registration())
        follower = mirror.follow(core.feed)
        mirror.drain(follower)
        follower.close()
        for port in range(1, 20):
            await core.catalog.register(registration(port=port))
        await core.retention.compact()
        assert core.view.floor == 16
        mirror.drain(mirror.follow(core.feed))
        assert mirror.resets == ["away for longer than the log reaches"]
        assert mirror.entries == truth(core)  # type: ignore[arg-type]
    async with core_on(tmp_path) as core:
        assert core.view.floor == 16


async def test_what_followers_are_sent_takes_no_more_memory_than_it_may(tmp_path: Path) -> None:
    quick, slow = Mirror(), Mirror()
    async with core_on(tmp_path, recent_bytes=20_000) as core:
        followers = [mirror.follow(core.feed) for mirror in (quick, slow)]
        watcher = core.feed.watch(since=0, wake=lambda: None)
        for mirror, follower in zip((quick, slow), followers, strict=True):
            mirror.drain(follower)
        for port in range(1, 101):
            await core.catalog.register(registration(port=port))
            quick.drain(followers[0])
            watcher.take()
            assert core.view.recent.size <= 20_000
        slow.drain(followers[1])
        assert (quick.resets, quick.seen) == ([], list(range(1, 101)))
        assert slow.resets == ["too slow, or away for too long"]
        assert quick.entries == slow.entries == truth(core)  # type: ignore[arg-type]


async def test_documents_of_a_past_that_was_forgotten_are_not_told_by_halves(tmp_path: Path) -> None:
    now = [1000.0]
    async with core_on(tmp_path, wall=lambda: now[0], history_age_s=50.0) as core:
        await core.catalog.register(registration())
        for number in range(3):
            now[0] += 90.0
            await apply(core, route_to("books", f"r{number}"))
            now[0] += 10.0
            await apply(core, route_to("books", f"r{number}", priority=number + 1))
        await core.retention.compact()
        assert await core.store.history_from() == 5
        for ask in (core.documents.diff(4), core.documents.restore(4, by="me")):
            with pytest.raises(Problem, match="revision 4 does not exist"):
                await ask
        assert [row.name for row in (await core.documents.diff(5)).documents] == ["r2"]
        assert (await core.documents.revision(5)).documents[0].result == "changed"
        (only,) = (await core.documents.revisions_of(Key("Route", "default", "r0"))).items
        assert (only.revision, only.documents[0].result) == (3, "changed")
        await core.documents.restore(5, by="me")
        assert sorted(name for _, name in core.view.documents["Route"]) == ["r0", "r1"]


async def test_a_key_answers_the_same_after_a_restart(tmp_path: Path) -> None:
    once = Once("k", b"f")
    async with core_on(tmp_path) as core:
        first = await core.catalog.register(registration(), once)
        applied = await apply(core, route_to("books"), once=Once("a", b"f"))
    async with core_on(tmp_path) as core:
        assert await core.catalog.register(registration(), once) == first
        assert await apply(core, route_to("books"), once=Once("a", b"f")) == applied
        assert core.view.revision == 2


async def test_a_dry_run_judges_and_changes_nothing(tmp_path: Path) -> None:
    async with core_on(tmp_path) as core:
        await core.catalog.register(registration())
        applied = await apply(core, route_to("books"), dry_run=True)
        assert (applied.revision, applied.documents[0].result) == (1, "created")
        with pytest.raises(Problem):
            await apply(core, route_to("bocks"), dry_run=True)
        assert core.view.documents == {}
        assert core.view.revision == 1


async def test_history_diff_and_restore(tmp_path: Path) -> None:
    async with core_on(tmp_path) as core:
        await core.catalog.register(registration())
        await apply(core, route_to("books"))
        await asyncio.sleep(0.002)  # a millisecond on, so that changed is told from created
        await apply(core, route_to("books", priority=5), route_to("books", "too", "/too"))
        await apply(core, delete=(Key("Route", "default", "too"),))

        listed = (await core.documents.revisions()).items
        assert [(entry.revision, [one.result for one in entry.documents]) for entry in listed] == [
            (4, ["deleted"]), (3, ["changed", "created"]), (2, ["created"]),
        ]  # fmt: skip
        page = await core.documents.revisions(limit=2)
        assert page.next == "3"
        assert [one.revision for one in (await core.documents.revisions(before=3)).items] == [2]

        entry: RevisionEntry = await core.documents.revision(3)
        assert [change.path for change in entry.documents[0].changes] == ["spec.priority"]
        with pytest.raises(Problem):
            await core.documents.revision(1)

        difference = await core.documents.diff(2)
        assert [(one.name, one.result) for one in difference.documents] == [("r", "changed")]
        back = await core.documents.diff(4, 3)
        assert [(one.name, one.result) for one in back.documents] == [("too", "created")]
        with pytest.raises(Problem):
            await core.documents.diff(99)

        restored = await core.documents.restore(3, by="me")
        assert (restored.revision, [one.result for one in restored.documents]) == (5, ["unchanged", "created"])
        restored = await core.documents.restore(2, by="me")
        assert core.documents.get(Key("Route", "default", "r")).spec.get("priority") is None
        assert set(core.view.documents["Route"]) == {("default", "r")}
        assert (await core.documents.restore(2, by="me")).revision == restored.revision


async def test_a_restore_that_was_compared_undoes_nothing_unseen(tmp_path: Path) -> None:
    async with core_on(tmp_path) as core:
        await core.catalog.register(registration())
        await apply(core, route_to("books"), route_to("books", "too", "/too"))
        await apply(core, route_to("books", priority=5))
        await core.catalog.register(registration("films"))  # instances are not compared
        seen = core.view.revision
        for unseen in (
            {"documents": (route_to("books", priority=6),)},
            {"documents": (route_to("books", "new", "/new"),)},
            {"documents": (), "delete": (Key("Route", "default", "too"),)},
        ):
            documents = unseen.pop("documents")
            await apply(core, *documents, **unseen)
            held = dict(core.view.documents["Route"])
            with pytest.raises(Problem) as refused:
                await core.documents.restore(2, by="me", if_match=seen)
            assert refused.value.status == 412
            assert core.view.documents["Route"] == held
            seen = core.view.revision
        restored = await core.documents.restore(2, by="me", if_match=seen)
        assert sorted((one.name, one.result) for one in restored.documents) == [
            ("new", "deleted"), ("r", "changed"), ("too", "created"),
        ]  # fmt: skip
        with pytest.raises(Problem):
            await core.documents.restore(2, by="me", if_match=99)


async def test_documents_are_listed_in_pages_and_over_namespaces(tmp_path: Path) -> None:
    async with core_on(tmp_path) as core:
        await apply(core, *[written("Service", f"s{at}", {}, "shop") for at in range(3)], written("Service", "s", {}))
        first = core.documents.list("Service", "shop", limit=2)
        rest = core.documents.list("Service", "shop", limit=2, cursor=first.next)
        assert [one.metadata.name for one in first.items + rest.items] == ["s0", "s1", "s2"]
        assert len(core.documents.list("Service", "-").items) == 4
        assert core.documents.list("Route", "-").items == []
        with pytest.raises(Problem):
            core.documents.get(Key("Service", "shop", "none"))


async def test_the_process_ends_when_the_committer_does(tmp_path: Path) -> None:
    async with core_on(tmp_path, deaths=1) as core:

        async def moved(batch: object) -> None:
            raise HeadMoved

        core.store.commit = moved  # type: ignore[method-assign]
        core.catalog.register(registration())
        await until(lambda: not core.revisions.waiting)
        await asyncio.sleep(0)


async def test_leases_run_out_in_a_running_core(tmp_path: Path) -> None:
    clock = ManualClock()
    async with core_on(tmp_path, clock=clock) as core:
        await core.catalog.register(registration(ttl_s=3))
        clock.advance(4.0)
        await until(lambda: core.catalog.instance("default", "books", "b1").status == "critical", 5)
        clock.advance(301.0)
        await until(lambda: not core.view.services, 5)


@pytest.mark.flaky(reruns=0)
async def test_followers_and_watchers_that_reconnect_at_random_see_every_revision_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 100)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    async with core_on(tmp_path) as core:
        is_over = False

        async def write() -> None:
            while not is_over:
                batch = [registration(instance_id=f"b{chance.randint(0, 50)}") for _ in range(chance.randint(1, 8))]
                await asyncio.gather(*[core.catalog.register(one) for one in batch])
                await asyncio.sleep(0)

        writing = asyncio.gather(*[write() for _ in range(4)])
        mirror, seen, reconnects = Mirror(), list[int](), 0
        follower = mirror.follow(core.feed)
        mirror.drain(follower)
        begun = mirror.revision or 0
        watched = begun
        while reconnects < 1000:
            # A long absence is read from the log: it must be given the time, or it would be away for ever.
            mirror.drain(follower)
            watcher = core.feed.watch(since=watched, wake=lambda: None)
            for _ in range(chance.randint(1, 4)):
                for event in watcher.take():
                    assert event.name == "delta"
                    seen.append(event.revision)
                watched = watcher.revision
                await asyncio.sleep(0)
            watcher.close()
            if chance.random() < 0.5:
                follower.close()
                await asyncio.sleep(chance.choice((0, 0, 0.001)))
                follower = mirror.follow(core.feed)
            reconnects += 1
        is_over = True
        await writing
        watcher = core.feed.watch(since=watched, wake=lambda: None)

        def caught_up() -> bool:
            mirror.drain(follower)
            seen.extend(event.revision for event in watcher.take())
            return mirror.revision == core.view.revision == watcher.revision

        await until(caught_up)
        assert seen == list(range(begun + 1, core.view.revision + 1))
        assert mirror.resets == []
        assert mirror.seen == seen
        assert mirror.entries == truth(core)  # type: ignore[arg-type]
        follower.close()
        watcher.close()


async def test_the_process_ends_when_the_sweep_of_leases_does(tmp_path: Path) -> None:
    clock = ManualClock()
    async with core_on(tmp_path, clock=clock, deaths=1) as core:

        def broken(*_: object) -> None:
            raise ValueError("a defect")

        core.leases._guard.judge = broken  # type: ignore[method-assign,assignment]
        await core.catalog.register(registration(ttl_s=3))
        ended = [task for task in asyncio.all_tasks() if task.get_name() == "lease sweep"]
        clock.advance(4.0)
        await asyncio.wait(ended, timeout=5)
        await asyncio.sleep(0)

from __future__ import annotations

import asyncio
import random

import pytest

from meshway.snapshot import FrameReader, Tick
from registry.catalog.registering import Deregister
from registry.view import recent
from tests.parts.conditions import until
from tests.parts.feed_bench import FeedBench, Mirror, truth
from tests.parts.registry_bench import route_to, written


async def test_a_new_follower_gets_the_whole_then_every_change() -> None:
    bench, mirror = FeedBench(), Mirror()
    bench.register()
    bench.apply(written("Service", "books", {}))
    follower = mirror.follow(bench.feed)
    mirror.drain(follower)
    assert mirror.entries == truth(bench)
    assert mirror.resets == []
    bench.register(port=1)
    bench.commit(Deregister(("default", "books", "b1")))
    mirror.drain(follower)
    assert mirror.seen == [3, 4]
    assert mirror.entries == truth(bench)


async def test_an_empty_registry_is_a_snapshot_of_nothing() -> None:
    bench, mirror = FeedBench(), Mirror()
    mirror.drain(mirror.follow(bench.feed))
    assert (mirror.revision, mirror.entries) == (0, {})


async def test_a_follower_that_comes_back_gets_what_it_missed_only() -> None:
    bench, mirror = FeedBench(), Mirror()
    bench.register()
    follower = mirror.follow(bench.feed)
    mirror.drain(follower)
    follower.close()
    assert bench.feed.followers == set()
    bench.register(port=1)
    mirror.drain(mirror.follow(bench.feed))
    assert (mirror.seen, mirror.resets) == ([2], [])


@pytest.mark.parametrize(("since", "epoch"), [(5, "e1"), (1, "another"), (-7, "e1")])
async def test_what_cannot_be_continued_is_reset(since: int, epoch: str) -> None:
    bench, mirror = FeedBench(), Mirror()
    bench.register()
    bench.register(port=1)
    mirror.revision, mirror.epoch = since, epoch
    mirror.drain(mirror.follow(bench.feed))
    assert len(mirror.resets) == 1
    assert (mirror.revision, mirror.entries) == (2, truth(bench))


async def test_one_away_beyond_the_log_gets_a_snapshot() -> None:
    bench, mirror = FeedBench(), Mirror()
    for port in range(1, 11):
        bench.register(port=port)
    bench.view.floor = 6
    mirror.revision, mirror.epoch = 4, "e1"
    mirror.drain(mirror.follow(bench.feed))
    assert mirror.resets == ["away for longer than the log reaches"]
    mirror = Mirror()
    mirror.revision, mirror.epoch = 5, "e1"
    mirror.drain(mirror.follow(bench.feed))
    assert (mirror.resets, mirror.seen) == ([], [6, 7, 8, 9, 10])


async def test_one_that_begins_anew_is_never_shown_what_is_older_than_it_has_seen() -> None:
    bench, first, late = FeedBench(), Mirror(), Mirror()
    for port in range(1, 11):
        bench.register(port=port)
    first.drain(first.follow(bench.feed))  # and its snapshot is kept for those who come soon after
    for port in range(11, 21):
        bench.register(port=port)
    bench.view.floor = 18
    late.revision, late.epoch = 15, "e1"
    late.drain(late.follow(bench.feed))
    assert (late.resets, late.seen, late.revision) == (["away for longer than the log reaches"], [], 20)
    assert late.entries == truth(bench)


async def test_what_memory_lacks_comes_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 10)
    monkeypatch.setattr("registry.feed.log_pages._PAGE_ROWS", 7)
    bench, mirror = FeedBench(), Mirror()
    for port in range(1, 101):
        bench.register(port=port)
    mirror.revision, mirror.epoch = 20, "e1"
    follower = mirror.follow(bench.feed)

    def caught_up() -> bool:
        mirror.drain(follower)
        return mirror.revision == 100

    await until(caught_up)
    assert mirror.seen == list(range(21, 101))
    assert mirror.woken.is_set()


async def test_a_follower_too_slow_is_reset_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 10)
    bench, slow, quick = FeedBench(), Mirror(), Mirror()
    followers = slow.follow(bench.feed), quick.follow(bench.feed)
    slow.drain(followers[0])
    quick.drain(followers[1])
    for port in range(1, 31):
        bench.register(port=port)
        quick.drain(followers[1])
    slow.drain(followers[0])
    assert (quick.resets, quick.seen) == ([], list(range(1, 31)))
    assert slow.resets == ["too slow, or away for too long"]
    assert slow.entries == quick.entries == truth(bench)


async def test_changes_during_a_snapshot_come_after_it() -> None:
    bench, mirror = FeedBench(), Mirror()
    for at in range(1200):
        bench.register(instance_id=f"b{at}")
    follower = mirror.follow(bench.feed)
    while mirror.revision is None:
        mirror.read(follower, 1)
        bench.register(instance_id="b0", port=9000)
    mirror.drain(follower)
    assert mirror.entries == truth(bench)
    assert mirror.seen == list(range(1201, bench.view.revision + 1))


async def test_a_tick_names_the_head_once_the_follower_has_it() -> None:
    bench, mirror = FeedBench(), Mirror()
    follower = mirror.follow(bench.feed)
    mirror.drain(follower)
    mirror.woken.clear()
    bench.feed.tick()
    assert mirror.woken.is_set()
    bench.register()
    ticks = [frame for frame in FrameReader().feed(follower.take()) if isinstance(frame, Tick)]
    assert ticks == []
    assert list(FrameReader().feed(follower.take())) == [Tick(revision=1, gateways=2)]
    assert follower.take() == b""


async def test_a_snapshot_is_encoded_once_for_those_who_come_together_and_not_kept() -> None:
    bench = FeedBench()
    bench.register()
    first = bench.feed._snapshot_now(0)
    bench.register(port=1)
    assert bench.feed._snapshot_now(0) is first
    for _ in range(10):
        bench.feed.tick()
    assert bench.feed._snapshot_now(0) is not first


async def test_a_large_document_and_many_of_them_fit_the_frames() -> None:
    bench, mirror = FeedBench(), Mirror()
    bench.register()
    note = "x" * 15_000
    bench.apply(*[written("Service", f"s{at}", {}, annotations={"note": note}) for at in range(120)])
    mirror.drain(mirror.follow(bench.feed))
    assert mirror.entries == truth(bench)


async def test_a_follower_that_reconnects_at_random_sees_every_revision_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 50)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    bench, mirror = FeedBench(), Mirror()
    follower = mirror.follow(bench.feed)
    mirror.drain(follower)
    for _ in range(1000):
        for _ in range(chance.randint(0, 6)):
            match chance.randint(0, 3):
                case 0:
                    bench.commit(Deregister(("default", "books", f"b{chance.randint(0, 9)}")))
                case 1 if bench.view.services:
                    names = sorted({service for _, service in bench.view.services})
                    bench.apply(route_to(chance.choice(names), "r", priority=chance.randint(0, 9)))
                case _:
                    bench.register(instance_id=f"b{chance.randint(0, 9)}", port=chance.randint(1, 9))
        if chance.random() < 0.5:
            mirror.read(follower, chance.choice((1, 500, 1 << 18)))
        if chance.random() < 0.3:
            follower.close()
            await asyncio.sleep(0)
            follower = mirror.follow(bench.feed)

    def caught_up() -> bool:
        mirror.drain(follower)
        return mirror.revision == bench.view.revision

    await until(caught_up)
    # Where it was told to begin anew it may leap, but never back and never over one.
    assert mirror.seen == sorted(set(mirror.seen))
    if not mirror.resets:
        assert mirror.seen == list(range(1, bench.view.revision + 1))
    assert mirror.entries == truth(bench)


async def test_a_hole_in_the_log_is_answered_with_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 2)
    bench, mirror = FeedBench(), Mirror()
    bench.register()
    follower = mirror.follow(bench.feed)
    mirror.drain(follower)
    follower.close()
    for port in range(1, 10):
        bench.register(port=port)
    del bench.store.batches[1:4]
    follower = mirror.follow(bench.feed)

    def caught_up() -> bool:
        mirror.drain(follower)
        return mirror.revision == 10

    await until(caught_up)
    assert mirror.resets == ["too slow, or away for too long"]
    assert mirror.entries == truth(bench)
    follower.close()


async def test_followers_at_the_same_place_share_one_piece_of_bytes() -> None:
    bench, one, other = FeedBench(), Mirror(), Mirror()
    first, second = one.follow(bench.feed), other.follow(bench.feed)
    one.drain(first)
    other.drain(second)
    for port in range(1, 5):
        bench.register(port=port)
    piece = first.take()
    assert second.take() is piece
    assert first.take() == second.take() == b""
    bench.register(port=9)
    assert first.take() != piece
    first.close()
    second.close()


def test_a_commit_is_told_once_for_all_followers_that_ask_by_themselves() -> None:
    bench = FeedBench()
    told, woken = list[str](), list[str]()

    def tell() -> None:
        told.append("round")

    asking = [
        bench.feed.follow(since=0, epoch="e1", node="n", wake=lambda: woken.append("asking"), at_commit=tell)
        for _ in range(2)
    ]
    waiting = bench.feed.follow(since=0, epoch="e1", node="n", wake=lambda: woken.append("waiting"))
    bench.register()
    assert (told, woken) == (["round"], ["waiting"])
    bench.feed.tick()
    assert woken.count("asking") == 2, "a tick is no commit"
    asking[0].close()
    bench.register(port=1)
    assert told == ["round"] * 2
    asking[1].close()
    bench.register(port=2)
    assert told == ["round"] * 2
    waiting.close()
    assert bench.feed.followers == set()

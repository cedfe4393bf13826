import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.feed import follower as follower_module
from meshway.snapshot import Delta, encode_frame
from tests.parts.changes import left, running
from tests.parts.conditions import until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.feed_server import Feed
from tests.parts.following import Following


@pytest.fixture
async def follow() -> AsyncIterator[Callable[..., Following]]:
    started: list[Following] = []

    def start(*urls: str) -> Following:
        started.append(Following(*urls))
        return started[-1]

    yield start
    for following in started:
        following.task.cancel()
    await asyncio.gather(*(following.task for following in started), return_exceptions=True)


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    async with Feed() as feed:
        yield feed


async def test_it_gets_the_whole_then_each_change(feed: Feed, follow: Callable[..., Following]) -> None:
    feed.commit(running("a", "1", port=1))
    following = follow(feed.url)
    await following.reaches(feed)
    feed.commit(running("a", "2", port=2))
    feed.commit(left("a", "1"))
    await following.reaches(feed)
    assert (following.wholes, following.revisions) == (1, [2, 3])
    assert feed.asked[0] == "/v1/feed?node=gw%2F1"


async def test_it_tells_how_many_gateways_are_live_when_that_changes(
    feed: Feed, follow: Callable[..., Following]
) -> None:
    following = follow(feed.url)
    await following.reaches(feed)
    for gateways in (3, 1):
        feed.gateways = gateways
        await until(lambda wanted=gateways: following.gateways[-1:] == [wanted])  # type: ignore[misc]
    assert following.gateways == [3, 1]


async def test_after_a_cut_it_resumes_where_it_was(feed: Feed, follow: Callable[..., Following]) -> None:
    feed.commit(running("a", "1", port=1))
    following = follow(feed.url)
    await following.reaches(feed)
    await feed.stop()
    for number in range(5):
        feed.commit(running("a", f"n{number}", port=1))
    await feed.start()
    await following.reaches(feed)
    assert (following.wholes, following.revisions) == (1, [2, 3, 4, 5, 6])
    assert feed.asked[-1] == "/v1/feed?node=gw%2F1&since=1&epoch=e1"


async def test_a_lost_revision_is_asked_for_at_once(feed: Feed, follow: Callable[..., Following]) -> None:
    following = follow(feed.url)
    await following.reaches(feed)
    feed.revision += 1
    feed.log.append((feed.revision, [running("a", "lost", port=1)]))
    feed.entries[feed.log[-1][1][0].key] = feed.log[-1][1][0]
    feed.commit(running("a", "next", port=1))
    await following.reaches(feed)
    assert following.state.counts.lost == 1
    assert following.wholes == 1


async def test_a_last_revision_that_was_lost_is_found_by_ticks(feed: Feed, follow: Callable[..., Following]) -> None:
    following = follow(feed.url)
    await following.reaches(feed)
    feed.revision += 1
    feed.log.append((feed.revision, []))
    await following.reaches(feed)
    assert following.state.counts.lost == 1


async def test_one_that_was_away_too_long_gets_a_snapshot(follow: Callable[..., Following]) -> None:
    async with Feed(keep=3) as feed:
        feed.commit(running("a", "1", port=1))
        following = follow(feed.url)
        await following.reaches(feed)
        await feed.stop()
        for number in range(10):
            feed.commit(running("a", f"n{number}", port=1))
        feed.commit(left("a", "1"))
        await feed.start()
        await following.reaches(feed)
        assert following.wholes == 2


async def test_a_new_history_replaces_the_old_one(feed: Feed, follow: Callable[..., Following]) -> None:
    for number in range(5):
        feed.commit(running("a", f"n{number}", port=1))
    following = follow(feed.url)
    await following.reaches(feed)
    await feed.stop()
    feed.epoch, feed.revision, feed.log = "e2", 0, []
    feed.entries.clear()
    feed.commit(running("b", "1", port=1))
    await feed.start()
    await following.reaches(feed)


async def test_a_silent_registry_is_left_for_another(
    feed: Feed, follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "DEAD_S", 0.8)
    async with Feed() as second:
        following = follow(feed.url, second.url)
        await following.reaches(feed)
        feed.is_silent = True
        await until(lambda: following.follower.registry is not None and second.asked)
        await until(lambda: following.follower.registry and following.follower.registry.text == second.url)


@pytest.mark.parametrize("fault", ["black hole", "crawl"])
async def test_a_registry_behind_a_dead_line_is_left_for_another(
    fault: str, feed: Feed, follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "DEAD_S", 0.9)
    feed.commit(running("a", "1", port=1))
    async with FaultProxy(feed.port) as line:
        following = follow(line.url, feed.url)
        await following.reaches(feed)
        line.is_black_hole, line.rate = fault == "black hole", 4 if fault == "crawl" else 0
        loop = asyncio.get_running_loop()
        spoiled_at = loop.time()
        feed.commit(running("a", "2", port=1))
        await until(lambda: following.held.revision == 2)
        assert loop.time() - spoiled_at < 3.0
        assert (following.wholes, following.revisions) == (1, [2])


@pytest.mark.flaky(reruns=0)
async def test_cuts_anywhere_in_the_stream_lose_and_double_nothing(
    feed: Feed, follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "MIN_WAIT_S", 0.01)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with FaultProxy(feed.port) as line:
        following = follow(line.url)
        await following.reaches(feed)
        for number in range(30):
            line.cut_after = chance.randrange(600)
            for _ in range(chance.randrange(1, 8)):
                feed.commit(running("a", f"n{chance.randrange(20)}", port=1))
            if number % 3 == 0:
                await until(lambda: line.cut_after < 0 or following.held.revision == feed.revision)
            await asyncio.sleep(0.01)
        line.cut_after = -1
        await following.reaches(feed)
        assert line.accepted > 2
        assert following.revisions == list(range(1, feed.revision + 1))


async def test_a_slow_line_is_no_dead_one(feed: Feed, follow: Callable[..., Following]) -> None:
    for number in range(40):
        feed.commit(running("a", f"n{number}", port=1))
    async with FaultProxy(feed.port) as line:
        line.delay_s = 0.2
        following = follow(line.url)
        await following.reaches(feed)
        feed.commit(running("a", "late", port=1))
        await following.reaches(feed)
        assert line.accepted == 1


async def test_a_flipped_bit_on_the_line_never_reaches_what_is_held(
    feed: Feed, follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "MIN_WAIT_S", 0.01)
    feed.commit(running("a", "1", port=1))
    async with FaultProxy(feed.port) as line:
        following = follow(line.url)
        await following.reaches(feed)
        line.change = lambda data: data.replace(b"\xa6change", b"\xa6chanGe").replace(b"\xa7address", b"\xa7addresX")
        feed.commit(running("a", "2", port=1))
        await until(lambda: line.accepted >= 3)
        assert following.held.revision == 1
        line.change = lambda data: data
        await following.reaches(feed)


async def test_back_off_begins_anew_after_a_connection_without_news(
    feed: Feed, follow: Callable[..., Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "MIN_WAIT_S", 0.1)
    following = follow(feed.url)
    await following.reaches(feed)
    await feed.stop()
    await asyncio.sleep(1.0)  # by now it waits 0.8 s between two tries
    await feed.start()
    await until(lambda: following.follower.registry)
    await asyncio.sleep(0.7)  # a tick
    connections = following.follower.connections
    feed.cut()
    await until(lambda: following.follower.connections > connections, 0.4)


async def test_a_registry_that_sends_nonsense_changes_nothing(feed: Feed, follow: Callable[..., Following]) -> None:
    feed.commit(running("a", "1", port=1))
    following = follow(feed.url)
    await following.reaches(feed)
    feed.send(b"\xff" * 64)
    await until(lambda: len(feed.asked) == 2)
    spoiled = encode_frame(Delta(revision=2, changes=[running("a", "2", port=1)])).replace(
        b"\xa7address", b"\xa7addresX"
    )
    feed.send(spoiled)
    await until(lambda: len(feed.asked) == 3)
    assert following.state.counts.refused == 1
    await following.reaches(feed)


async def test_nobody_there_is_said_once_and_tried_for_ever(
    follow: Callable[..., Following], caplog: pytest.LogCaptureFixture
) -> None:
    async with Feed() as feed:
        pass
    following = follow(feed.url)
    await until(
        lambda: "refused" in following.follower.problem.lower() or "connect" in following.follower.problem.lower()
    )
    await asyncio.sleep(0.4)
    assert len(caplog.records) == 1
    await feed.start()
    await following.reaches(feed)
    await feed.stop()


@pytest.mark.flaky(reruns=0)
async def test_reconnecting_at_random_moments_during_writes_shows_every_revision_once(
    feed: Feed, follow: Callable[..., Following]
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    following = follow(feed.url)
    await following.reaches(feed)
    first = following.held.revision
    for _ in range(150):
        for _ in range(chance.randrange(4)):
            number = chance.randrange(20)
            feed.commit(running("a", f"n{number}", port=1) if chance.random() < 0.7 else left("a", f"n{number}"))
        if chance.random() < 0.1:
            feed.cut()
        await asyncio.sleep(0)
    await following.reaches(feed)
    assert following.wholes == 1
    assert following.revisions == list(range(first + 1, feed.revision + 1))

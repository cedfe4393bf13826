"""Failure row "partition gateway to registry": noticed within three ticks, resumed elsewhere, no revision missed.

With the real times, so it takes seven seconds, of which almost all is waiting.
"""

import asyncio
import time

import pytest

from gateway.feed.follower import DEAD_S
from meshway.snapshot import Change
from tests.parts.changes import running
from tests.parts.conditions import until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.feed_server import Feed
from tests.parts.following import Following

MODES = ("black hole", "half-open", "one byte a second")
NOTICED_S = DEAD_S + 1.0  # the silence, the shortest back-off, and a busy machine


class Replicas:
    """Two registries of one history."""

    def __init__(self, first: Feed, second: Feed) -> None:
        self.both = (first, second)

    def commit(self, *changes: Change) -> None:
        for feed in self.both:
            feed.commit(*changes)


async def spoil(line: FaultProxy, registry: Feed, mode: str) -> None:
    line.is_black_hole = mode == "black hole"
    line.rate = int(mode == "one byte a second")
    if mode == "half-open":  # the host loses its power: nobody is told
        line.is_half_open = True
        await registry.stop()


async def leave_it(mode: str) -> None:
    async with Feed() as first, Feed() as second, FaultProxy(first.port) as line:
        replicas = Replicas(first, second)
        replicas.commit(running("a", "1", port=1))
        following = Following(line.url, second.url)
        try:
            await following.reaches(first)
            await spoil(line, first, mode)
            spoiled_at = time.monotonic()
            replicas.commit(running("a", "2", port=1))
            replicas.commit(running("a", "3", port=1))
            await until(lambda: following.held.revision == 3, NOTICED_S + 5.0, what=f"the way around a {mode}")
            assert time.monotonic() - spoiled_at < NOTICED_S, mode
            await following.reaches(second)
            assert (following.wholes, following.revisions) == (1, [2, 3]), mode
            assert second.asked == ["/v1/feed?node=gw%2F1&since=1&epoch=e1"], mode
            assert following.follower.registry is not None
            assert following.follower.registry.text == second.url, mode
        finally:
            following.task.cancel()
            await asyncio.gather(following.task, return_exceptions=True)


async def test_a_dead_line_is_left_within_three_ticks_and_the_other_registry_goes_on_where_it_was() -> None:
    await asyncio.gather(*(leave_it(mode) for mode in MODES))


async def test_with_no_registry_left_the_tries_grow_apart_to_fifteen_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)
        await real(0)

    async with Feed() as gone:
        pass
    monkeypatch.setattr("gateway.feed.follower.asyncio.sleep", sleep)
    following = Following(gone.url)  # its chance is 0: half of each wait
    try:
        while len(waits) < 10:
            await real(0.01)
    finally:
        following.task.cancel()
        await asyncio.gather(following.task, return_exceptions=True)
    assert waits[:9] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 7.5, 7.5])

"""How the live stream is written: the newest of each topic, not each of it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from meshway.http1.message import RequestHead
from registry.machine import live
from registry.machine.live import LiveStream
from registry.machine.live_topics import LiveTopics, Topic
from registry.machine.request import Request
from registry.machine.rounds import Rounds
from registry.rights.caller import TRUSTED
from tests.parts.feed_bench import FeedBench
from tests.parts.kept_outlet import KeptOutlet


class NoTopics:
    """Who joined and left."""

    def __init__(self) -> None:
        self.readers: set[object] = set()

    def join(self, reader: object) -> None:
        self.readers.add(reader)

    def leave(self, reader: object) -> None:
        self.readers.discard(reader)


async def stream_of(bench: FeedBench, hub: NoTopics, *topics: Topic) -> tuple[LiveStream, KeptOutlet]:
    request = Request(
        cast("RequestHead", None),
        b"",
        method="GET",
        path="/v1/live",
        segments=("v1", "live"),
        query="",
        peer="127.0.0.1",
        caller=TRUSTED,
    )
    stream = LiveStream(
        bench.feed, cast("LiveTopics", hub), Rounds(), request, frozenset(topics), None, None, since=None
    )
    outlet = KeptOutlet()
    stream.start(outlet)
    await turns_of_the_loop(3)
    return stream, outlet


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0.002)


async def test_a_reader_that_was_held_up_gets_the_newest_of_each_topic_once() -> None:
    bench, hub = FeedBench(), NoTopics()
    stream, outlet = await stream_of(bench, hub, "revisions", "signals", "gateways")
    assert outlet.body == b'event: head\nid: 0\ndata: {"revision":0}\n\n'
    outlet.is_paused = True
    for number in range(3):
        stream.owe("signals", b"event: signals\ndata: %d\n\n" % number)
    stream.owe("gateways", b"event: gateways\ndata: 7\n\n")
    bench.register("books", "b1")
    bench.register("books", "b2")
    await turns_of_the_loop(3)
    assert len(outlet.pieces) == 1
    outlet.is_paused = False
    stream.resume()
    await turns_of_the_loop(3)
    assert outlet.pieces[1].count(b"event:") == 3
    assert b'"revision":2' in outlet.pieces[1]
    assert b"data: 2\n" in outlet.pieces[1]
    assert b"data: 0\n" not in outlet.body
    stream.stop()
    assert hub.readers == set()
    assert bench.feed.watchers == set()


async def test_changes_that_follow_each_other_closely_are_written_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GATHER_S", 0.1)
    bench, hub = FeedBench(), NoTopics()
    stream, outlet = await stream_of(bench, hub, "revisions")
    bench.register("books", "first")
    await turns_of_the_loop(3)
    assert b"books/first" in outlet.pieces[-1]
    for number in range(5):
        bench.register("books", f"b{number}")
        await turns_of_the_loop(1)
    assert len(outlet.pieces) == 2
    async with asyncio.timeout(5):
        while len(outlet.pieces) < 3:
            await asyncio.sleep(0.01)
    assert outlet.pieces[2].count(b'"name"') == 5
    stream.stop()


async def test_one_that_takes_nothing_is_ended_and_one_that_goes_on_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.05)
    monkeypatch.setattr(live, "SLOW_S", 0.2)
    bench, hub = FeedBench(), NoTopics()
    slow, stuck = await stream_of(bench, hub, "revisions")
    other, reading = await stream_of(bench, hub, "revisions")
    stuck.is_paused = True
    async with asyncio.timeout(5):
        while not stuck.is_ended:
            reading.is_paused = True
            await asyncio.sleep(0.02)
            reading.is_paused = False
            other.resume()
            await asyncio.sleep(0.06)
    assert not reading.is_ended
    assert len(reading.pieces) >= 2
    assert all(piece.startswith(b"event: head\n") for piece in reading.pieces)
    slow.stop()
    other.stop()


async def test_a_notice_names_the_namespaces_once() -> None:
    bench, hub = FeedBench(), NoTopics()
    stream, outlet = await stream_of(bench, hub, "alerts")
    stream.notice("alerts", frozenset({"shop"}))
    stream.notice("alerts", frozenset({"bank", "shop"}))
    await turns_of_the_loop(3)
    assert outlet.pieces[1:] == [b'event: alerts\ndata: {"namespaces":["bank","shop"]}\n\n']
    stream.stop()

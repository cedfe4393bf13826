"""How the feed is written: in pieces, with the loop between them, and not while the gateway does not read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshway.snapshot import Delta, FrameReader, Hello, Snapshot, SnapshotEnd
from registry.machine import turns
from registry.machine.feed import FrameStream
from registry.machine.rounds import Rounds
from tests.parts.feed_bench import FeedBench
from tests.parts.kept_outlet import KeptOutlet

if TYPE_CHECKING:
    import pytest

    from meshway.snapshot import AnyFrame


def filled(count: int) -> FeedBench:
    bench = FeedBench()
    for at in range(count):
        bench.register(instance_id=f"b{at}")
    return bench


def stream_of(bench: FeedBench, rounds: Rounds) -> tuple[FrameStream, KeptOutlet]:
    stream, outlet = FrameStream(bench.feed, rounds, None, None, "n", is_gateway=False), KeptOutlet()
    stream.start(outlet)
    return stream, outlet


def frames_of(outlet: KeptOutlet) -> list[AnyFrame]:
    return list(FrameReader().feed(outlet.body))


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_whole_is_written_part_by_part_and_the_loop_goes_on_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    bench, rounds = filled(1600), Rounds()
    _, outlet = stream_of(bench, rounds)
    grown = []
    for _ in range(5):
        assert len(frames_of(outlet)) == len(outlet.pieces) + bool(outlet.pieces)  # hello goes with the first part
        grown.append(len(outlet.pieces))
        await asyncio.sleep(0)
    assert grown == [0, 1, 2, 3, 4]
    await turns_of_the_loop(3)
    hello, *parts, end = frames_of(outlet)
    assert isinstance(hello, Hello)
    assert [len(part.entries) for part in parts if isinstance(part, Snapshot)] == [500, 500, 500, 100]
    assert isinstance(end, SnapshotEnd)


async def test_two_that_take_the_whole_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    bench, rounds = filled(1000), Rounds()
    outlets = [stream_of(bench, rounds)[1] for _ in range(2)]
    grown = []
    for _ in range(4):
        await asyncio.sleep(0)
        grown.append([len(outlet.pieces) for outlet in outlets])
    assert grown == [[1, 0], [1, 1], [2, 1], [2, 2]]


async def test_one_that_does_not_read_is_not_written_to_and_goes_on_where_it_was() -> None:
    bench, rounds = filled(1000), Rounds()
    stream, outlet = stream_of(bench, rounds)
    outlet.is_paused = True
    bench.register(port=1, instance_id="late")
    await turns_of_the_loop(5)
    assert outlet.pieces == []
    outlet.is_paused = False
    stream.resume()
    await turns_of_the_loop(20)
    *_, end, delta = frames_of(outlet)
    assert isinstance(end, SnapshotEnd)
    assert isinstance(delta, Delta)
    assert (end.revision, delta.revision) == (1000, 1001)


async def test_a_change_is_written_in_a_round_and_not_within_its_commit() -> None:
    bench, rounds = filled(1), Rounds()
    stream, outlet = stream_of(bench, rounds)
    await turns_of_the_loop(5)
    held = len(outlet.pieces)
    bench.register(port=1)
    bench.register(port=2)
    assert len(outlet.pieces) == held
    await turns_of_the_loop(5)
    assert [frame.revision for frame in frames_of(outlet) if isinstance(frame, Delta)] == [2, 3]
    assert len(outlet.pieces) == held + 1
    stream.stop()
    assert bench.feed.followers == set()
    bench.register(port=3)
    await turns_of_the_loop(5)
    assert len(outlet.pieces) == held + 1


async def test_what_is_more_than_a_piece_follows_in_turns_and_later_changes_behind_it() -> None:
    bench, rounds = filled(1), Rounds()
    _, outlet = stream_of(bench, rounds)
    await turns_of_the_loop(5)
    for port in range(1, 201):
        bench.register(port=port, metadata={"filling": "x" * 4000})
    await turns_of_the_loop(20)
    bench.register(port=1)
    async with asyncio.timeout(5):
        while [frame.revision for frame in frames_of(outlet) if isinstance(frame, Delta)] != list(range(2, 203)):
            await asyncio.sleep(0.001)
    assert max(map(len, outlet.pieces)) < 300_000

"""How a watch is written: in pieces, with the id of a snapshot behind the whole of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from registry.machine import turns
from registry.machine.rounds import Rounds
from registry.machine.watch import EventStream
from tests.parts.feed_bench import FeedBench
from tests.parts.kept_outlet import KeptOutlet

if TYPE_CHECKING:
    import pytest


def stream_of(bench: FeedBench, **filters: str) -> tuple[EventStream, KeptOutlet]:
    given: dict[str, str | None] = {"namespace": None, "kind": None, "service": None}
    stream = EventStream(bench.feed, Rounds(), since=None, readable=None, **(given | filters))
    outlet = KeptOutlet()
    stream.start(outlet)
    return stream, outlet


def lines_of(outlet: KeptOutlet) -> list[str]:
    """Names of events and their ids, in order."""
    return [line for line in outlet.body.decode().splitlines() if line.startswith(("event", "id"))]


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_snapshot_is_written_part_by_part_and_its_id_behind_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    bench = FeedBench()
    for at in range(1100):
        bench.register(instance_id=f"b{at}")
    stream, outlet = stream_of(bench)
    await turns_of_the_loop(1)
    assert lines_of(outlet) == ["event: snapshot"]
    await turns_of_the_loop(5)
    assert lines_of(outlet) == ["event: snapshot"] * 3 + ["id: 1100"]
    bench.register(instance_id="late")
    await turns_of_the_loop(5)
    assert lines_of(outlet)[4:] == ["event: delta", "id: 1101"]
    stream.stop()
    assert bench.feed.watchers == set()


async def test_changes_that_concern_nobody_are_passed_over_in_silence() -> None:
    bench = FeedBench()
    stream, outlet = stream_of(bench, service="books")
    await turns_of_the_loop(3)
    assert lines_of(outlet) == ["event: snapshot", "id: 0"]
    bench.register("carts", "c1")
    bench.register("books", "b1")
    await turns_of_the_loop(3)
    assert lines_of(outlet)[2:] == ["event: delta", "id: 2"]
    stream.stop()


async def test_the_head_is_said_to_one_whose_filter_lets_nothing_through() -> None:
    bench = FeedBench()
    stream, outlet = stream_of(bench, service="books")
    await turns_of_the_loop(3)
    bench.register("carts", "c1")
    await turns_of_the_loop(3)
    stream._say_head()
    assert outlet.pieces[-1] == b": head\nid: 1\n\n"
    stream.stop()


async def test_the_head_is_not_said_within_a_snapshot() -> None:
    bench = FeedBench()
    for at in range(600):
        bench.register(instance_id=f"b{at}")
    stream, outlet = stream_of(bench)
    outlet.is_paused = True
    await turns_of_the_loop(3)
    outlet.is_paused = False  # and its connection has not said `resume` yet
    stream._say_head()
    assert outlet.pieces == []
    await turns_of_the_loop(5)
    assert lines_of(outlet) == ["event: snapshot"] * 2 + ["id: 600"]
    stream.stop()

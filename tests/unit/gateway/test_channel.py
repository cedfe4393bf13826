import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.channel import (
    Answer,
    Applied,
    Channel,
    ChannelFrame,
    Drain,
    Ready,
    Refusal,
    TransitionFrame,
)
from gateway.feed.frames import snapshot_frames
from gateway.upstream.transition import Transition
from meshway.snapshot import Delta, Hello, Snapshot, SnapshotEnd
from tests.parts.changes import running
from tests.parts.conditions import until


class End:
    """One end with what it heard."""

    def __init__(self) -> None:
        self.heard: list[ChannelFrame] = []
        self.is_closed = False
        self.react: Callable[[ChannelFrame], None] = lambda _: None
        self.channel = Channel(self._on_frame, self._on_closed)

    def _on_frame(self, frame: ChannelFrame) -> None:
        self.heard.append(frame)
        self.react(frame)

    def _on_closed(self) -> None:
        self.is_closed = True


@pytest.fixture
async def ends() -> AsyncIterator[tuple[End, End]]:
    loop = asyncio.get_running_loop()
    up, down = End(), End()
    for end, sock in zip((up, down), socket.socketpair(), strict=True):
        sock.setblocking(False)
        await loop.create_connection(lambda end=end: end.channel, sock=sock)  # type: ignore[misc]
    yield up, down
    up.channel.close()
    down.channel.close()
    await until(lambda: up.is_closed and down.is_closed)


async def test_frames_of_both_kinds_arrive_whole_and_in_order(ends: tuple[End, End]) -> None:
    up, down = ends
    sent: list[ChannelFrame] = [
        Hello(epoch="e1", revision=3),
        Drain(idle_s=1.0, end_s=30.0),
        TransitionFrame(transition=Transition(kind="ejected", endpoint=("a", "b", "c"), until_s=3.5)),
        Applied(revision=4, refused=[Refusal("Route", "default", "books", "spec.rules[0]", "no such subset")]),
        Answer(id="q1", body={"clusters": []}),
        Ready(revision=4),
    ]
    for frame in sent:
        up.channel.send(frame)
    await until(lambda: len(down.heard) == len(sent))
    assert down.heard == sent


async def test_what_is_sent_after_a_snapshot_comes_after_it(ends: tuple[End, End]) -> None:
    up, down = ends
    entries = [running("big", f"i{n}", port=1 + n, metadata={"filler": "x" * 1000}) for n in range(5000)]
    up.channel.send_all(snapshot_frames("e1", 7, entries))
    up.channel.send(Delta(revision=8, changes=[]))
    await until(lambda: down.heard and isinstance(down.heard[-1], Delta))
    assert isinstance(down.heard[-2], SnapshotEnd)
    assert sum(len(frame.entries) for frame in down.heard if isinstance(frame, Snapshot)) == 5000


async def test_a_snapshot_is_made_only_as_it_is_taken(ends: tuple[End, End]) -> None:
    up, down = ends
    down.channel.pause()
    made = 0

    def frames() -> object:
        nonlocal made
        entries = [running("big", f"i{n}", port=1 + n, metadata={"filler": "x" * 3000}) for n in range(20_000)]
        for frame in snapshot_frames("e1", 7, entries):
            made += 1
            yield frame

    up.channel.send_all(frames())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    before = made
    assert before < 10
    down.channel.resume()
    await until(lambda: made > 60)


async def test_a_paused_reader_gets_nothing_even_of_what_has_come(ends: tuple[End, End]) -> None:
    up, down = ends
    down.react = lambda frame: down.channel.pause() if frame == Ready(revision=2) else None
    for revision in range(1, 6):
        up.channel.send(Ready(revision=revision))
    await until(lambda: len(down.heard) >= 2)
    await asyncio.sleep(0)
    assert down.heard == [Ready(revision=1), Ready(revision=2)]
    down.channel.resume()
    await until(lambda: len(down.heard) == 5)


async def test_a_reader_that_never_reads_is_cut_off(ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.channel.MAX_QUEUED", 1 << 20)
    up, down = ends
    down.channel.pause()
    for _ in range(60):
        up.channel.send_encoded(b"x" * (64 << 10))
    await until(lambda: up.is_closed)


async def test_nonsense_closes_the_channel(ends: tuple[End, End]) -> None:
    up, down = ends
    up.channel.send_encoded(b"\xff\xff\xff\xff....")
    await until(lambda: down.is_closed)

"""A feed over judged writes, and a mirror that follows it as a gateway must."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from meshway.snapshot import Change, Delta, FrameReader, Hello, Reset, Snapshot, SnapshotEnd, Tick
from registry.feed.feed import Feed
from registry.feed.follower import Follower
from registry.revisions.draft import Draft
from tests.parts.fake_store import FakeStore
from tests.parts.registry_bench import Bench


class FeedBench(Bench):
    """A bench whose commits also reach a fake store's log."""

    def __init__(self) -> None:
        super().__init__()
        self.store = FakeStore()
        self.feed = Feed(self.view, self.store, live_gateways=lambda: 2)

    def commit(self, write: Any) -> Any:
        draft = Draft(self.view, at=self.at)
        answer = draft.judge(write)
        self.store.batches.append(draft.batch())
        draft.apply()
        return answer


class Mirror:
    """What a gateway holds: it applies frames as it must, and minds every gap and double."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str, str], Any] = {}
        self.revision: int | None = None
        self.epoch: str | None = None
        self.seen: list[int] = []
        self.resets: list[str] = []
        self._parts: list[Change] = []
        self._reader = FrameReader()

    def follow(self, feed: Feed) -> Follower:
        self._reader = FrameReader()
        self._parts = []
        self.woken = asyncio.Event()
        return feed.follow(since=self.revision, epoch=self.epoch, node="n", wake=self.woken.set)

    def read(self, follower: Follower, limit: int = 1 << 18) -> bool:
        data = follower.take(limit)
        for frame in self._reader.feed(data):
            match frame:
                case Hello():
                    self.epoch = frame.epoch
                case Reset():
                    self.resets.append(frame.reason)
                    self.revision = None
                case Snapshot():
                    self._parts += frame.entries
                case SnapshotEnd():
                    assert frame.entries == len(self._parts)
                    self.entries = {change.key: msgspec.msgpack.decode(change.value) for change in self._parts}
                    self.revision, self._parts = frame.revision, []
                case Delta():
                    assert self.revision is not None
                    self._parts += frame.changes
                    if not frame.more:
                        assert frame.revision == self.revision + 1
                        self.apply(self._parts)
                        self.revision, self._parts = frame.revision, []
                        self.seen.append(frame.revision)
                case Tick():
                    assert frame.revision == self.revision
        return bool(data)

    def apply(self, changes: list[Change]) -> None:
        for change in changes:
            if change.op == "put":
                self.entries[change.key] = msgspec.msgpack.decode(change.value)
            else:
                self.entries.pop(change.key, None)

    def drain(self, follower: Follower) -> None:
        while self.read(follower):
            pass


def truth(bench: Bench) -> dict[tuple[str, str, str], Any]:
    rows: list[Any] = [row for service in bench.view.services.values() for row in service.values()]
    rows += [row for of_kind in bench.view.documents.values() for row in of_kind.values()]
    return {row.change().key: msgspec.msgpack.decode(row.value) for row in rows}

from pathlib import Path

import pytest

from gateway.feed.held import Held
from gateway.feed.keeper import Keeper
from gateway.feed.last_good import load
from gateway.feed.state import Changes, Whole
from meshway.snapshot import Change
from tests.parts.changes import document, gone, running


class Kept:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s = 100.0
        self.held = Held()
        self.proven: list[Change] = []
        self.keeper = Keeper(
            folder, lambda: (self.held.epoch, self.held.revision, self.held.entries, self.proven), lambda: self.now_s
        )

    def whole(self, revision: int, *entries: Change) -> None:
        self.held.take(Whole("e1", revision, {entry.key: entry for entry in entries}))
        self.keeper.replaced()

    def change(self, *changes: Change) -> None:
        revision = self.held.revision + 1
        self.held.take(Changes(revision, list(changes)))
        self.keeper.changed(revision, list(changes))

    def on_disk(self) -> tuple[int, int]:
        found, _ = load(self.folder)
        return (found.revision, len(found.entries)) if found is not None else (-1, 0)


async def test_a_snapshot_is_kept_at_once_and_deltas_at_the_next_turn(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.whole(5, running("a", "1", port=1))
    await kept.keeper.sync()
    assert kept.on_disk() == (5, 1)
    kept.change(running("a", "2", port=2))
    kept.change(running("a", "3", port=3))
    assert kept.on_disk() == (5, 1)
    await kept.keeper.sync()
    assert kept.on_disk() == (7, 3)
    assert len(list(tmp_path.glob("*.snapshot"))) == 1


async def test_the_whole_is_written_at_most_every_ten_seconds(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.whole(5)
    await kept.keeper.sync()
    kept.whole(9, running("a", "1", port=1))
    kept.now_s += 9.0
    await kept.keeper.sync()
    assert kept.on_disk() == (5, 0)
    kept.now_s += 1.0
    await kept.keeper.sync()
    assert kept.on_disk() == (9, 1)


async def test_what_is_due_at_the_end_is_not_waited_for(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.whole(5)
    await kept.keeper.sync()
    kept.whole(9)
    await kept.keeper.sync(is_last=True)
    assert kept.on_disk() == (9, 0)


async def test_after_a_start_from_disk_the_first_change_writes_a_whole(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.held.take(Whole("e1", 5, {}))
    kept.change(running("a", "1", port=1))
    await kept.keeper.sync()
    assert kept.on_disk() == (6, 1)


async def test_a_long_journal_is_folded_into_a_new_snapshot(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.whole(0)
    await kept.keeper.sync()
    for _ in range(3):
        kept.change(*(running("a", f"{n}", port=1, metadata={"filler": "x" * 2000}) for n in range(60)))
        await kept.keeper.sync()
    kept.now_s += 10.0
    await kept.keeper.sync()
    assert len(list(tmp_path.glob("*.snapshot"))) == 2
    assert kept.on_disk() == (3, 60)


async def test_what_runs_in_place_of_a_refused_version_is_kept_when_it_is_known(tmp_path: Path) -> None:
    def route(version: int) -> Change:
        return document("Route", "r", {"version": version})

    def proven() -> list[Change]:
        found, _ = load(tmp_path)
        assert found is not None
        return found.proven.changes()

    kept = Kept(tmp_path)
    kept.whole(5, running("a", "1", port=1))
    await kept.keeper.sync()
    kept.proven = [gone("Route", "r")]  # until it has compiled
    kept.change(route(1))
    await kept.keeper.sync()
    assert proven() == [gone("Route", "r")]
    kept.proven = []
    await kept.keeper.sync()
    kept.change(route(2))
    kept.proven = [route(1)]
    await kept.keeper.sync()
    assert (proven(), kept.on_disk()) == ([route(1)], (7, 2))
    [journal] = tmp_path.glob("*.deltas")
    size = journal.stat().st_size
    await kept.keeper.sync()
    assert journal.stat().st_size == size, "it is told once"
    kept.proven = []
    await kept.keeper.sync()
    kept.proven = [route(1)]
    await kept.keeper.sync(is_last=True)
    assert proven() == [route(1)]


async def test_a_disk_that_refuses_loses_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)
    kept.whole(5)
    await kept.keeper.sync()

    def full(snapshot: Path, records: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.feed.keeper.append_deltas", full)
    kept.change(running("a", "1", port=1))
    await kept.keeper.sync()
    monkeypatch.undo()
    assert kept.keeper.failures == 1
    kept.change(running("a", "2", port=2))
    kept.now_s += 10.0
    await kept.keeper.sync()
    assert kept.on_disk() == (7, 2)

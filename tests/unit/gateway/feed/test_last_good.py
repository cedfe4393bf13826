import random
from pathlib import Path

import pytest

from gateway.feed import last_good
from gateway.feed.last_good import append_deltas, load, record, write_snapshot
from gateway.feed.state import Changes
from meshway.snapshot import Change
from tests.parts.changes import document, gone, left, running


def entries(count: int) -> list[Change]:
    return [running("hello", f"h{n}", port=9000 + n) for n in range(count)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write_snapshot(tmp_path, "e1", 42, entries(1200))
    found, refused = load(tmp_path)
    assert found is not None
    assert (found.epoch, found.revision, len(found.entries), refused) == ("e1", 42, 1200, ())


def test_an_empty_mesh_is_kept_too(tmp_path: Path) -> None:
    write_snapshot(tmp_path, "e1", 0, [])
    found, _ = load(tmp_path)
    assert found is not None
    assert (found.revision, found.entries) == (0, {})


def test_no_folder_holds_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "none") == (None, ())


def test_deltas_bring_it_to_their_revision(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, "e1", 5, entries(2))
    append_deltas(path, record(6, [running("hello", "new", port=1)]) + record(7, [left("hello", "h0")]))
    append_deltas(path, record(8, [left("hello", "h1")]))
    found, _ = load(tmp_path)
    assert found is not None
    assert found.revision == 8
    assert [change.name for change in found.entries.values()] == ["hello/new"]


def test_a_torn_tail_is_cut_at_the_last_whole_revision(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, "e1", 5, entries(1))
    whole, torn = record(6, entries(2)), record(7, entries(3))
    for cut in range(len(torn)):
        path.with_suffix(".deltas").write_bytes(whole + torn[:cut])
        found, _ = load(tmp_path)
        assert found is not None
        assert (found.revision, len(found.entries)) == (6, 2)


def test_deltas_with_a_hole_count_up_to_the_hole(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, "e1", 5, [])
    append_deltas(path, record(6, entries(1)) + record(8, entries(3)))
    found, _ = load(tmp_path)
    assert found is not None
    assert (found.revision, len(found.entries)) == (6, 1)


def test_a_flipped_bit_anywhere_is_refused_and_the_one_before_serves(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    write_snapshot(tmp_path, "e1", 5, entries(1))
    path = write_snapshot(tmp_path, "e1", 9, entries(3))
    good = path.read_bytes()
    for at in [0, 3, 8, 11, 12, 20, len(good) - 33, len(good) - 1, *chance.sample(range(len(good)), 50)]:
        spoiled = bytearray(good)
        spoiled[at] ^= 1 << chance.randrange(8)
        path.write_bytes(spoiled)
        found, refused = load(tmp_path)
        assert found is not None, at
        assert (found.revision, len(refused)) == (5, 1), at


def test_a_truncated_one_is_refused_at_every_length(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, "e1", 9, entries(2))
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        found, refused = load(tmp_path)
        assert found is None
        assert len(refused) == 1


def test_versions_that_run_in_place_of_refused_ones_are_read_back_and_follow_the_deltas(tmp_path: Path) -> None:
    def route(name: str, version: int) -> Change:
        return document("Route", name, {"version": version})

    held = [route("a", 2), route("b", 1), route("c", 1)]
    path = write_snapshot(tmp_path, "e1", 5, held, [route("a", 1), gone("Route", "c")])
    found, _ = load(tmp_path)
    assert found is not None
    assert found.proven.changes() == [route("a", 1), gone("Route", "c")]
    append_deltas(path, record(6, [route("b", 2), route("a", 3), gone("Route", "c")]))
    found, _ = load(tmp_path)
    assert found is not None
    assert found.proven.changes() == [route("a", 1), route("b", 1)]
    assert found.entries[route("a", 3).key] == route("a", 3)
    found.proven.settle(6, [route("b", 2).key])
    assert found.proven.changes() == [route("b", 1)]


def test_what_compiled_since_the_snapshot_is_known_from_the_journal(tmp_path: Path) -> None:
    def policy(version: int) -> Change:
        return document("RateLimit", "p", {"version": version})

    path = write_snapshot(tmp_path, "e1", 5, [], [])
    append_deltas(path, record(6, [policy(1)]) + record(6, []) + record(7, [policy(2)]) + record(7, [policy(1)]))
    found, _ = load(tmp_path)
    assert found is not None
    assert (found.revision, found.entries) == (7, {policy(2).key: policy(2)})
    assert found.proven.changes() == [policy(1)], "a policy is not left out that calls went by"
    found.proven.settle(7, [])
    assert found.proven.changes() == []


def test_nothing_of_a_snapshot_counts_as_good_before_it_has_compiled(tmp_path: Path) -> None:
    def policy(version: int) -> Change:
        return document("RateLimit", "p", {"version": version})

    write_snapshot(tmp_path, "e1", 5, [policy(1)])
    found, _ = load(tmp_path)
    assert found is not None
    assert found.proven.changes() == []
    found.proven.settle(5, [policy(1).key])
    found.proven.take(Changes(6, [policy(2)]), found.entries)
    found.proven.settle(6, [policy(2).key])
    assert found.proven.changes() == []


def test_another_version_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_good, "VERSION", 0)
    write_snapshot(tmp_path, "e1", 9, entries(2))
    monkeypatch.undo()
    found, refused = load(tmp_path)
    assert found is None
    assert refused == ("00000000000000000009.snapshot: has version 0, this gateway reads 1",)


def test_two_are_kept_with_their_deltas(tmp_path: Path) -> None:
    for revision in (1, 2, 3, 4):
        append_deltas(write_snapshot(tmp_path, "e1", revision, entries(1)), record(revision + 1, entries(1)))
    assert names(tmp_path) == [f"{n:020d}.{end}" for n in (3, 4) for end in ("deltas", "snapshot")]


def test_a_new_history_with_a_smaller_revision_is_the_newest(tmp_path: Path) -> None:
    write_snapshot(tmp_path, "e1", 900, entries(3))
    write_snapshot(tmp_path, "e2", 4, entries(1))
    found, _ = load(tmp_path)
    assert found is not None
    assert (found.epoch, found.revision) == ("e2", 4)


def test_a_full_disk_leaves_the_old_ones_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_snapshot(tmp_path, "e1", 1, entries(1))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_snapshot(tmp_path, "e1", 2, entries(2))
    monkeypatch.undo()
    assert names(tmp_path) == ["00000000000000000001.snapshot"]

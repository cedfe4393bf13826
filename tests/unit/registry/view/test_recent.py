import msgspec
import pytest

from meshway.snapshot import MAX_FRAME, Change, Delta, FrameReader
from registry.store.interface import ChangeRecord
from registry.view import recent
from registry.view.recent import LogEntry, Recent, change_of, change_text, cut, entries_of


def put(name: str, size: int = 10) -> Change:
    return change_of("Instance", "default", name, msgspec.msgpack.encode("x" * size))


def entry(revision: int, size: int = 10) -> LogEntry:
    return LogEntry(revision, (put(f"i{revision}", size),))


def test_what_came_after_a_revision_is_given_in_order() -> None:
    held = Recent(10)
    held.append([entry(11), entry(12)])
    held.append([entry(13)])
    found = held.since(11, 1 << 20)
    assert found is not None
    assert [one.revision for one in found] == [12, 13]
    assert held.since(13, 1 << 20) == []


def test_what_is_older_than_memory_is_not_here() -> None:
    held = Recent(10)
    held.append([entry(11)])
    assert held.since(9, 1 << 20) is None


def test_a_taker_gets_about_what_it_asks_for_and_at_least_one() -> None:
    held = Recent(0)
    held.append([entry(at, 1000) for at in range(1, 11)])
    found = held.since(0, 3000)
    assert found is not None
    assert [one.revision for one in found] == [1, 2, 3]
    assert len(held.since(3, 1) or []) == 1


def test_memory_is_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 80)
    held = Recent(0)
    for at in range(1, 1001):
        held.append([entry(at)])
    assert held.since(1000 - 80, 1 << 20) is not None
    assert held.first == 1000 - 80
    assert held.since(held.first - 1, 1 << 20) is None


def test_memory_is_bounded_by_bytes_but_always_holds_the_newest() -> None:
    held = Recent(0, max_bytes=20_000)
    for at in range(1, 31):
        held.append([entry(at, 4000)])
    assert held.since(29, 1 << 20) is not None
    assert held.first >= 27
    held.append([entry(31, 40_000)])
    assert [one.revision for one in held.since(30, 1) or []] == [31]


def test_what_was_made_for_followers_and_watchers_counts_and_the_first_made_goes_first() -> None:
    held = Recent(0, max_bytes=100_000)
    entries = [entry(at, 1000) for at in range(1, 38)]
    made = {}
    for one in entries:
        held.append([one])
        made[one.revision] = (one.frames(), one.texts())
        assert held.size <= 100_000
    assert held.first == 0, "no revision went: they take less than half"
    kept = [one.revision for one in entries if one.made_size]
    assert kept == list(range(kept[0], 38))
    assert 1 < kept[0] < 30
    assert entries[-1].frames() is made[37][0]
    assert (entries[0].frames(), entries[0].texts()) == made[1]
    assert held.size <= 100_000


def test_a_revision_that_goes_takes_with_it_what_was_made_of_it() -> None:
    held = Recent(0, max_bytes=20_000)
    for at in range(1, 200):
        one = entry(at, 1000)
        held.append([one])
        one.frames()
        one.texts()
        assert held.size <= 20_000
    empty = Recent(0, max_bytes=20_000)
    empty.append(held.since(held.first, 1 << 20) or [])
    assert held.size - empty.size <= entry(1, 1000).size, "nothing is counted twice, or for ever"


def test_one_revision_above_the_bound_is_made_once_all_the_same() -> None:
    held, large = Recent(0, max_bytes=10_000), entry(1, 50_000)
    held.append([large])
    assert large.frames() is large.frames()
    held.append([entry(2, 10)])
    held.append([entry(3, 10)])
    assert held.size < 1000


def test_what_was_made_outside_of_memory_is_nobodys_burden() -> None:
    held, page = Recent(0, max_bytes=10_000), entry(1, 5_000)
    page.frames()
    assert held.size == 0


def test_a_large_revision_is_cut_into_frames_that_belong_together() -> None:
    one = LogEntry(7, tuple(put(f"i{at}", 200_000) for at in range(12)))
    frames = list(FrameReader().feed(one.frames()))
    deltas = [frame for frame in frames if isinstance(frame, Delta)]
    assert [delta.revision for delta in deltas] == [7] * len(deltas)
    assert [delta.more for delta in deltas] == [True] * (len(deltas) - 1) + [False]
    assert [change.name for delta in deltas for change in delta.changes] == [f"i{at}" for at in range(12)]
    assert len(deltas) > 1


def test_parts_hold_no_more_than_asked_and_fit_a_frame() -> None:
    parts = list(cut([put(f"i{at}", 300_000) for at in range(10)], 500))
    assert all(sum(recent.size_of(change) for change in part) < MAX_FRAME for part in parts)
    assert [len(part) for part in cut([put(str(at)) for at in range(1001)], 500)] == [500, 500, 1]
    assert list(cut([], 500)) == [[]]


def test_a_change_as_json_has_its_value_and_a_tombstone_has_none() -> None:
    assert msgspec.json.decode(change_text(put("i1", 2))) == {
        "op": "put", "kind": "Instance", "namespace": "default", "name": "i1", "value": "xx",
    }  # fmt: skip
    assert b"value" not in change_text(change_of("Route", "default", "r", None))


def test_rows_of_the_log_become_entries() -> None:
    rows = [
        ChangeRecord(5, 0, 1.0, "Route", "a", "r", b"\x01"),
        ChangeRecord(5, 1, 1.0, "Service", "a", "s", None),
        ChangeRecord(6, 0, 1.0, "Route", "a", "r", None),
    ]
    entries = entries_of(rows)
    assert [(one.revision, len(one.changes)) for one in entries] == [(5, 2), (6, 1)]
    assert [[change.op for change in one.changes] for one in entries] == [["put", "delete"], ["delete"]]

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from registry.store.interface import (
    Batch,
    ChangeRecord,
    DocumentRecord,
    HeadMoved,
    HistoryRecord,
    InstanceRecord,
    OnceRecord,
    StoreUnavailable,
)
from registry.store.sqlite import SqliteStore


def instance(revision: int, instance_id: str = "b1") -> InstanceRecord:
    return InstanceRecord("default", "books", instance_id, 1, "t", 30, "passing", revision, b"v%d" % revision)


def change(revision: int, position: int = 0, value: bytes | None = b"v") -> ChangeRecord:
    return ChangeRecord(revision, position, float(revision), "Instance", "default", f"books/b{position}", value)


def history(revision: int, name: str, value: bytes | None = b"d") -> HistoryRecord:
    return HistoryRecord(revision, "Route", "default", name, 1.0, "me", value)


def batch(base: int, head: int, **rows: object) -> Batch:
    return Batch(epoch="", base=base, head=head, instance_number=head, at=1.0, **rows)  # type: ignore[arg-type]


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    first = await store.load()
    assert (first.revision, first.floor, first.instances) == (0, 1, [])
    document = DocumentRecord("Route", "default", "r", 2, 1.0, 2.0, "me", b"d")
    once = OnceRecord("k", b"f", 1.0, b"a")
    rows = {"instances": [instance(1)], "documents": [document], "onces": [once], "namespaces": ["default", "shop"]}
    await store.commit(batch(0, 2, changes=[change(1), change(2)], **rows))
    await store.close()
    store = SqliteStore(tmp_path)
    found = await store.load()
    assert (found.epoch, found.revision, found.floor, found.instance_number) == (first.epoch, 2, 1, 2)
    assert (found.instances, found.documents, found.onces) == ([instance(1)], [document], [once])
    assert found.namespaces == ["default", "shop"]
    await store.close()


async def test_rows_are_replaced_and_taken_out(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    many = [instance(1, f"b{at}") for at in range(300)]
    await store.commit(batch(0, 1, instances=many, changes=[change(1, at) for at in range(300)]))
    await store.commit(
        batch(1, 2, instances=[instance(2, "b0")], gone_instances=[("default", "books", "b1")], changes=[change(2)])
    )
    found = {row.id: row for row in (await store.load()).instances}
    assert len(found) == 299
    assert found["b0"].value == b"v2"
    await store.close()


async def test_a_moved_head_and_an_error_leave_nothing_behind(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    with pytest.raises(HeadMoved):
        await store.commit(batch(5, 6, instances=[instance(6)]))
    doubled = [change(1), change(1)]
    with pytest.raises(StoreUnavailable):
        await store.commit(batch(0, 1, instances=[instance(1)], changes=doubled))
    assert store.missing() is not None
    found = await store.load()
    assert (found.revision, found.instances) == (0, [])
    await store.commit(batch(0, 1, instances=[instance(1)], changes=[change(1)]))
    assert store.missing() is None
    await store.close()


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    pages = store._writing.execute("PRAGMA page_count").fetchone()[0]
    store._writing.execute(f"PRAGMA max_page_count={pages + 2}")
    large = ChangeRecord(1, 0, 1.0, "Route", "default", "r", b"x" * 1_000_000)
    with pytest.raises(StoreUnavailable, match="full"):
        await store.commit(batch(0, 1, changes=[large]))
    store._writing.execute("PRAGMA max_page_count=1073741823")
    await store.commit(batch(0, 1, changes=[large]))
    assert (await store.load()).revision == 1
    await store.close()


async def test_the_log_is_read_in_whole_revisions(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    rows = [change(1), *[change(2, at) for at in range(5)], change(3, value=None)]
    await store.commit(batch(0, 3, changes=rows))
    assert await store.changes(1, 3) == rows[:6]
    assert await store.changes(1, 1) == rows[:1]
    assert await store.changes(3, 10) == rows[6:]
    assert await store.changes(4, 10) == []
    await store.close()


async def test_the_log_is_shortened_from_its_beginning(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    await store.commit(batch(0, 10, changes=[change(at) for at in range(1, 11)]))
    assert await store.revision_at(4.5) == 5
    assert await store.revision_at(99.0) is None
    await store.compact(1, 5)
    found = await store.load()
    assert (found.floor, found.revision) == (5, 10)
    assert [row.revision for row in await store.changes(1, 100)] == [5, 6, 7, 8, 9, 10]
    await store.close()


async def test_history_tells_what_stood_when(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    rows = [
        history(1, "a", b"a1"), history(1, "b", b"b1"), history(2, "a", b"a2"), history(3, "b", None), history(4, "c"),
    ]  # fmt: skip
    await store.commit(batch(0, 4, history=rows, changes=[change(at) for at in range(1, 5)]))
    assert [(row.name, row.value) for row in await store.documents_at(1)] == [("a", b"a1"), ("b", b"b1")]
    assert [(row.name, row.value) for row in await store.documents_at(3)] == [("a", b"a2")]
    assert await store.documents_at(0) == []
    assert [row.revision for row in await store.history(4, 2)] == [3, 2]
    assert [row.revision for row in await store.history(2, 9)] == [1, 1]
    assert await store.history_of(2) == [rows[2]]
    await store.close()


async def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    full = 2
    assert store._writing.execute("PRAGMA synchronous").fetchone()[0] == full
    assert store._writing.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    await store.close()


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    from registry.settings import StartRefused

    (tmp_path / "registry.db").write_bytes(b"x" * 5000)
    with pytest.raises(StartRefused, match="is no registry store"):
        SqliteStore(tmp_path)
    (tmp_path / "registry.db").unlink()
    store = SqliteStore(tmp_path)  # the lock was given back
    await store.close()
    assert sqlite3.connect(tmp_path / "registry.db").execute("SELECT count(*) FROM head").fetchone() == (0,)


async def test_the_states_of_one_document_come_newest_first(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    rows = [history(1, "a"), history(2, "b"), history(3, "a", b"e"), history(5, "a", None)]
    await store.commit(batch(0, 5, history=rows, changes=[change(5)]))
    key = ("Route", "default", "a")
    assert [row.revision for row in await store.history_of_document(key, 6, 10)] == [5, 3, 1]
    assert await store.history_of_document(key, 5, 1) == [rows[2]]
    await store.close()

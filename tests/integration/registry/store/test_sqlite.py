from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from registry.store.interface import ChangeRecord, StoreUnavailable
from registry.store.sqlite import SqliteStore
from tests.parts.store_records import batch, change, history


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    pages = store._writing.execute("PRAGMA page_count").fetchone()[0]
    store._writing.execute(f"PRAGMA max_page_count={pages + 2}")
    large = ChangeRecord(1, 0, 1.0, "Route", "default", "r", b"x" * 1_000_000)
    with pytest.raises(StoreUnavailable, match="full"):
        await store.commit(batch("", 0, 1, changes=[large]))
    store._writing.execute("PRAGMA max_page_count=1073741823")
    await store.commit(batch("", 0, 1, changes=[large]))
    assert (await store.load()).revision == 1
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
    await store.commit(batch("", 0, 5, history=rows, changes=[change(5)]))
    key = ("Route", "default", "a")
    assert [row.revision for row in await store.history_of_document(key, 6, 10)] == [5, 3, 1]
    assert await store.history_of_document(key, 5, 1) == [rows[2]]
    await store.close()


async def test_a_file_that_has_emptied_gives_its_room_back(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.load()
    large = [ChangeRecord(1, at, 1.0, "Route", "default", f"r{at}", b"x" * 100_000) for at in range(500)]
    await store.commit(batch("", 0, 1, changes=large))
    await store.compact(1, 2)
    await store.tidy()
    pages = store._writing.execute("PRAGMA page_count").fetchone()[0]
    free = store._writing.execute("PRAGMA freelist_count").fetchone()[0]
    assert pages < 5000  # it had 12,500; 4,096 stay for what comes next
    assert free <= 4096
    await store.close()
    assert (tmp_path / "registry.db").stat().st_size == pages * 4096


async def test_a_file_of_an_earlier_version_learns_to_give_room_back_when_it_is_opened(tmp_path: Path) -> None:
    await SqliteStore(tmp_path).close()
    with sqlite3.connect(tmp_path / "registry.db", isolation_level=None) as old:
        old.execute("PRAGMA journal_mode=DELETE")
        old.execute("PRAGMA auto_vacuum=NONE")
        old.execute("VACUUM")
        assert old.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    old.close()
    store = SqliteStore(tmp_path, migrate=False)
    assert store._writing.execute("PRAGMA auto_vacuum").fetchone() == (0,)  # it may not change the file
    await store.close()
    store = SqliteStore(tmp_path)
    assert store._writing.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    await store.close()

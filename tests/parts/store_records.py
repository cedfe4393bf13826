"""Rows and batches for tests of a store, and stores to open again on the same data."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from registry.store.interface import Batch, ChangeRecord, HistoryRecord, InstanceRecord, Store
from registry.store.postgres.store import open_postgres
from registry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def instance(revision: int, instance_id: str = "b1") -> InstanceRecord:
    return InstanceRecord("default", "books", instance_id, 1, "t", 30, "passing", revision, b"v%d" % revision)


def change(revision: int, position: int = 0, value: bytes | None = b"v") -> ChangeRecord:
    return ChangeRecord(revision, position, float(revision), "Instance", "default", f"books/b{position}", value)


def history(revision: int, name: str, value: bytes | None = b"d") -> HistoryRecord:
    return HistoryRecord(revision, "Route", "default", name, 1.0, "me", value)


def batch(epoch: str, base: int, head: int, **rows: Any) -> Batch:
    return Batch(epoch=epoch, base=base, head=head, instance_number=head, at=1.0, **rows)


@asynccontextmanager
async def open_sqlite(folder: Path) -> AsyncIterator[Store]:
    store = SqliteStore(folder)
    try:
        yield store
    finally:
        await store.close()


def opener(
    kind: str, folder: Path, database_url: Callable[[], str]
) -> Callable[[], AbstractAsyncContextManager[Store]]:
    """kind: sqlite or postgres. What it gives opens the same data each time."""
    if kind == "sqlite":
        return lambda: open_sqlite(folder)
    url = database_url()
    return lambda: open_postgres(url)

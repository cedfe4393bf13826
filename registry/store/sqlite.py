"""The embedded store: SQLite by the standard library, one thread that writes, one that reads what memory lacks."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from registry.store import (
    audit,
    changes,
    data_keys,
    documents,
    everything,
    head,
    history,
    idempotency,
    instances,
    namespaces,
    people,
    tokens,
)
from registry.store.authorities import add_authority, add_trust
from registry.store.certificates import add_certificate
from registry.store.compiled import positional
from registry.store.interface import (
    NO_AUDIT,
    TRIED_BYTES,
    AuditHeadRecord,
    AuditRecord,
    Batch,
    ChangeRecord,
    DataKeyRecord,
    HeadMoved,
    HistoryForgotten,
    HistoryRecord,
    Loaded,
    OnceRecord,
    PeopleRecord,
    StoreUnavailable,
    TokenRecord,
)
from registry.store.lock import FolderLock
from registry.store.migrate import prepare
from registry.store.room import checkpoint, give_back_pages, refresh_statistics
from registry.store.session import connect
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from registry.store.steps import Row, Step

_T = TypeVar("_T")


class SqliteStore:
    """Opened in the constructor (blocking, a few ms): locks the folder, migrates. Raises StartRefused."""

    def __init__(self, folder: Path, *, migrate: bool = True) -> None:
        self._lock = FolderLock(folder)
        try:
            prepare(folder, migrate=migrate)
            self._writing = connect(folder)
            self._reading = connect(folder)
        except BaseException:
            self._lock.release()
            raise
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._trouble: str | None = None

    async def load(self) -> Loaded:
        return await self._write(_load)

    async def commit(self, batch: Batch) -> None:
        await self._write(lambda connection: _commit(connection, batch))
        self._trouble = None

    async def do(self, steps: Sequence[Step]) -> list[list[Row]]:
        return await self._write(lambda connection: _do(connection, steps))

    async def try_write(self) -> None:
        await self._write(_try_write)
        self._trouble = None

    async def data_keys(self, fresh: Sequence[DataKeyRecord] = ()) -> list[DataKeyRecord]:
        return await self._write(lambda connection: _data_keys(connection, fresh))

    async def changes(self, first: int, limit: int) -> list[ChangeRecord]:
        return await self._read(lambda connection: _whole_revisions(connection, first, limit))

    async def restore(self, chunks: Iterable[Batch]) -> None:
        await self._write(lambda connection: _restore(connection, chunks))
        self._trouble = None

    async def compact(self, first: int, before: int) -> None:
        await self._forget(lambda connection: changes.compact(connection, first, before))

    async def revision_at(self, at: float) -> int | None:
        return await self._read(lambda connection: changes.revision_at(connection, at))

    async def revision_after(self, first: int, rows: int) -> int | None:
        return await self._read(lambda connection: changes.revision_after(connection, first, rows))

    async def forget_onces(self, before: float, limit: int) -> int:
        return await self._forget(lambda connection: idempotency.forget(connection, before, limit))

    async def forget_history(self, before: float, limit: int) -> int:
        return await self._forget(lambda connection: _forget_history(connection, before, limit))

    async def history_from(self) -> int:
        return await self._read(head.history_from)

    async def tokens(self) -> list[TokenRecord]:
        return await self._read(tokens.read_all)

    async def people(self) -> list[PeopleRecord]:
        return await self._read(people.read_all)

    async def audit_head(self) -> AuditHeadRecord:
        return await self._read(audit.head) or NO_AUDIT

    async def audit_after(self, seq: int, limit: int) -> list[AuditRecord]:
        return await self._read(lambda connection: audit.after(connection, seq, limit))

    async def audit_before(self, seq: int, limit: int) -> list[AuditRecord]:
        return await self._read(lambda connection: audit.before(connection, seq, limit))

    async def tidy(self) -> None:
        await self._write(refresh_statistics)
        while await self._forget(give_back_pages):
            pass

    async def history(self, before: int, limit: int) -> list[HistoryRecord]:
        return await self._read(lambda connection: history.before(connection, before, limit))

    async def history_of(self, revision: int) -> list[HistoryRecord]:
        return await self._read(lambda connection: history.of(connection, revision))

    async def history_of_document(self, key: tuple[str, str, str], before: int, limit: int) -> list[HistoryRecord]:
        return await self._read(lambda connection: history.of_document(connection, key, before, limit))

    async def documents_at(self, revision: int) -> list[HistoryRecord]:
        found, begins = await self._read(
            lambda connection: (history.documents_at(connection, revision), head.history_from(connection))
        )
        if revision < begins:
            raise HistoryForgotten(begins)
        return found

    async def lead(self, what: str) -> bool:
        """The folder's lock lets in no other registry."""
        return True

    async def share(self, what: str) -> bool:
        """As above."""
        return True

    async def agree(self, what: str, said: str) -> bool:
        """With itself, as the only one."""
        return True

    async def hold_off(self, what: str) -> bool:
        """Nobody else leads, and whoever holds off leads nothing itself."""
        return True

    async def let_go(self, what: str) -> None: ...

    def abandoned(self, what: str) -> bool:
        """Who held off is the one that asks."""
        return False

    async def forget_abandoned(self, what: str) -> None: ...

    def missing(self) -> str | None:
        return self._trouble

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._reading.close)
        await loop.run_in_executor(self._writer, self._writing.close)
        self._reader.shutdown(wait=False)
        self._writer.shutdown(wait=False)
        self._lock.release()

    async def _write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return await self._run(self._writer, work, self._writing)
        except StoreUnavailable as error:
            self._trouble = f"the store does not take writes: {error}"
            raise

    async def _forget(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """A step between commits, and what it leaves to do in the file beside them."""
        done = await self._write(work)
        await self._read(checkpoint)
        return done

    async def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        return await self._run(self._reader, work, self._reading)

    async def _run(
        self, thread: ThreadPoolExecutor, work: Callable[[sqlite3.Connection], _T], connection: sqlite3.Connection
    ) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work, connection)
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error


def _load(connection: sqlite3.Connection) -> Loaded:
    found = head.read(connection)
    if found is None:
        found = (secrets.token_hex(8), 0, 0)
        head.begin(connection, found[0])
    epoch, revision, number = found
    first = changes.first_revision(connection)
    return Loaded(
        epoch=epoch,
        revision=revision,
        at=changes.at_of(connection, revision),
        floor=revision + 1 if first is None else first,
        instance_number=number,
        namespaces=namespaces.read_all(connection),
        instances=instances.read_all(connection),
        documents=documents.read_all(connection),
        onces=idempotency.read_all(connection),
        tokens=tokens.read_all(connection),
        people=people.read_all(connection),
        audit_head=audit.head(connection) or NO_AUDIT,
    )


def _commit(connection: sqlite3.Connection, batch: Batch) -> None:
    with _transaction(connection):
        if not head.move(connection, base=batch.base, to=batch.head, instances=batch.instance_number):
            raise HeadMoved(batch.base)
        _write_rows(connection, batch)


def _do(connection: sqlite3.Connection, steps: Sequence[Step]) -> list[list[Row]]:
    found: list[list[Row]] = []
    with _transaction(connection):
        for at, step in enumerate(steps):
            text, values = positional(step.query)
            found.append(connection.execute(text, values(step.values)).fetchall())
            if step.needs_row and not found[-1]:
                raise NoRow(at)
    return found


def _try_write(connection: sqlite3.Connection) -> None:
    """Two commits; what is left when the second fails is an old key, and forgotten as such."""
    key = secrets.token_hex(16)
    with _transaction(connection):
        idempotency.add(connection, [OnceRecord(key, b"", 0.0, bytes(TRIED_BYTES))])
    with _transaction(connection):
        idempotency.remove(connection, key)


def _data_keys(connection: sqlite3.Connection, fresh: Sequence[DataKeyRecord]) -> list[DataKeyRecord]:
    with _transaction(connection):
        data_keys.add(connection, fresh)
        return data_keys.read_all(connection)


def _restore(connection: sqlite3.Connection, chunks: Iterable[Batch]) -> None:
    with _transaction(connection):
        everything.remove(connection)
        last: Batch | None = None
        for last in chunks:
            _write_rows(connection, last)
        if last is not None:
            head.begin(connection, last.epoch)
            head.move(connection, base=0, to=last.head, instances=last.instance_number)
            head.set_history_from(connection, last.history_from)


def _forget_history(connection: sqlite3.Connection, before: float, limit: int) -> int:
    with _transaction(connection):
        return history.forget(connection, head.history_from(connection), before, limit)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already (sqlite.org/lang_transaction.html, "Response To Errors").
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _write_rows(connection: sqlite3.Connection, batch: Batch) -> None:
    if batch.namespaces:
        namespaces.add(connection, batch.namespaces, batch.at)
    if batch.gone_instances:
        instances.remove(connection, batch.gone_instances)
    instances.put(connection, batch.instances)
    if batch.gone_documents:
        documents.remove(connection, batch.gone_documents)
    documents.put(connection, batch.documents)
    history.add(connection, batch.history)
    changes.add(connection, batch.changes)
    data_keys.add(connection, batch.data_keys)
    for step in (
        *map(add_trust, batch.trust),
        *map(add_authority, batch.authorities),
        *map(add_certificate, batch.certificates),
    ):
        text, values = positional(step.query)
        connection.execute(text, values(step.values))
    if batch.onces:
        idempotency.add(connection, batch.onces)
    if batch.tokens:
        tokens.put(connection, batch.tokens)
    if batch.people:
        people.put(connection, batch.people)
    if batch.audit:
        audit.add(connection, batch.audit)
    for record in batch.audit_head:
        audit.put_head(connection, record)


def _whole_revisions(connection: sqlite3.Connection, first: int, limit: int) -> list[ChangeRecord]:
    found = changes.read_from(connection, first, limit)
    if len(found) == limit:
        last = found[-1]
        found += changes.rest_of(connection, last.revision, last.position)
    return found

"""The store on PostgreSQL: one connection commits and follows, one hears and leads, a few read what memory lacks."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import msgspec

from registry.store.interface import (
    NO_AUDIT,
    TRIED_BYTES,
    AuditHeadRecord,
    AuditRecord,
    ChangeRecord,
    DataKeyRecord,
    HeadHeld,
    HeadMoved,
    HistoryForgotten,
    HistoryRecord,
    Loaded,
    Moves,
    OnceRecord,
    PeopleRecord,
    StoreUnavailable,
    TokenRecord,
)
from registry.store.postgres import statements
from registry.store.postgres.batch import write
from registry.store.postgres.connections import Connections
from registry.store.postgres.head_hold import hold, session_limits
from registry.store.postgres.link import ANSWER_S
from registry.store.postgres.migrate import prepare
from registry.store.postgres.reading import WHOLE_TABLE_S, load, run, whole_revisions
from registry.store.postgres.session import Session
from registry.store.postgres.statements import compiled
from registry.store.steps import NoRow
from registry.store.tables.people import AUDIT
from registry.store.tables.revisions import IDEMPOTENCY_KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from registry.store.interface import Batch
    from registry.store.postgres.link import Connection
    from registry.store.postgres.statements import Statement
    from registry.store.steps import Row, Step

_PAGE_ROWS: Final = 2000
# What a row of a batch may take beside the time that every answer has.
_ROW_S: Final = 1e-3
# Two of them, a row's value and what is kept beside it, stay below what PostgreSQL would pack or put elsewhere.
_TRIAL_BYTES: Final = 512
# Readers' sessions need not wait for the disk; what these transactions write was promised.
_DURABLE_HERE: Final = (
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)
_WAIT_FOR_LOCKS: Final = "SET LOCAL lock_timeout = 0"
_NO_HEAD: Final = "the row of the head is missing: restore a backup"
_RESTORING: Final = "restoring"


@asynccontextmanager
async def open_postgres(url: str, *, migrate: bool = True) -> AsyncIterator[PostgresStore]:
    """Migrates, and holds the connections until it ends. Raises StartRefused with one line."""
    await prepare(url, migrate=migrate)
    store = PostgresStore(url)
    try:
        yield store
    finally:
        await store.close()


class PostgresStore:
    """SharedStore. url: as asyncpg reads it, of a database that `prepare` has seen."""

    def __init__(self, url: str) -> None:
        self._connections = Connections(url, limits=session_limits())
        self._session = Session(url)
        # The connection on which the log was last compared with the view.
        self._seen: Connection | None = None
        # Why it took no write, which the next write ends.
        self._refused: str | None = None

    async def load(self) -> Loaded:
        async with self._connections.commit_side() as connection:
            if not await run(connection, statements.READ_HEAD):
                # A new database; of several registries that begin at once, the first one's row stays.
                await run(connection, statements.BEGIN_HEAD, id=1, revision=0, epoch=secrets.token_hex(8))
            if self._connections.held is None:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    found = await load(connection)
            else:
                found = await load(connection)
            self._seen = connection
            return found

    async def commit(self, batch: Batch) -> None:
        text, values = write(batch)
        try:
            async with self._connections.commit_side() as connection:
                moved = await self._write(connection, batch, text, values)
        except HeadHeld:
            raise
        except StoreUnavailable as error:
            self._refused = str(error)
            raise
        if not moved:
            raise HeadMoved(batch.base)
        self._refused = None

    async def do(self, steps: Sequence[Step]) -> list[list[Row]]:
        found: list[list[Row]] = []
        async with self._connections.read_side() as connection, connection.transaction():
            await connection.execute(_DURABLE_HERE)
            for at, step in enumerate(steps):
                rows = await run(connection, compiled(step.query), **step.values)
                found.append([tuple(row) for row in rows])
                if step.needs_row and not rows:
                    raise NoRow(at)
        return found

    async def try_write(self) -> None:
        filler = secrets.token_bytes(_TRIAL_BYTES)  # nothing that could be packed
        try:
            async with self._connections.read_side() as connection, connection.transaction():
                for trial in statements.TRIALS:
                    await run(connection, trial, rows=TRIED_BYTES // _TRIAL_BYTES, filler=filler)
                for end in statements.END_TRIALS:
                    await run(connection, end)
        except StoreUnavailable as error:
            self._refused = str(error)
            raise
        self._refused = None

    async def moves(self, since: int) -> Moves:
        async with self._connections.commit_side() as connection:
            head = await run(connection, statements.MOVES, since=since)
            if not head:
                raise StoreUnavailable(_NO_HEAD)
            epoch, revision, instance_number, at = head[0]
            changes: list[ChangeRecord] = []
            if revision > since:
                found = await whole_revisions(connection, since + 1, _PAGE_ROWS)
                # What was committed since the head was read belongs to the next look, as do its numbers of instances.
                changes = [change for change in found if change.revision <= revision]
            audit = await run(connection, statements.AUDIT_HEAD_NOW)
            self._seen = connection
        return Moves(
            epoch=epoch,
            revision=revision,
            instance_number=instance_number,
            at=at,
            changes=changes,
            audit_head=AuditHeadRecord(*audit[0]) if audit else NO_AUDIT,
        )

    async def stands(self, since: int) -> Moves:
        async with self._connections.read_side() as connection:
            head = await run(connection, statements.MOVES, since=since)
        if not head:
            raise StoreUnavailable(_NO_HEAD)
        epoch, revision, instance_number, at = head[0]
        return Moves(epoch=epoch, revision=revision, instance_number=instance_number, at=at, changes=[])

    def hold(self) -> AbstractAsyncContextManager[None]:
        return hold(self._connections)

    async def begin_epoch(self, seen: Moves, *, epoch: str, revision: int, instance_number: int) -> bool:
        if self._connections.held is None:
            async with self.hold():
                return await self.begin_epoch(seen, epoch=epoch, revision=revision, instance_number=instance_number)
        async with self._connections.commit_side() as connection:
            begun = await run(
                connection,
                statements.BEGIN_EPOCH,
                from_epoch=seen.epoch,
                from_revision=seen.revision,
                to_epoch=epoch,
                to_revision=revision,
                to_instances=instance_number,
            )
            if begun:
                await connection.execute(_WAIT_FOR_LOCKS)
                await run(connection, statements.FORGET_LOG, within_s=WHOLE_TABLE_S)
        return bool(begun)

    async def onces(self, keys: Sequence[str]) -> list[OnceRecord]:
        async with self._connections.commit_side() as connection:
            return [OnceRecord(*row) for row in await run(connection, statements.ONCES, keys=keys)]

    def on_wake(self, wake: Callable[[int], None]) -> None:
        self._session.on_wake(wake)

    async def data_keys(self, fresh: Sequence[DataKeyRecord] = ()) -> list[DataKeyRecord]:
        async with self._connections.read_side() as connection:
            for record in fresh:
                await run(connection, statements.ADD_DATA_KEY, name=record.name, wrapped=record.wrapped)
            return [DataKeyRecord(*row) for row in await run(connection, statements.DATA_KEYS_KEPT)]

    async def changes(self, first: int, limit: int) -> list[ChangeRecord]:
        async with self._connections.read_side() as connection:
            return await whole_revisions(connection, first, limit)

    async def restore(self, chunks: Iterable[Batch]) -> None:
        async with self.hold(), self._connections.commit_side() as connection:
            await connection.execute(_WAIT_FOR_LOCKS)
            for remove in statements.REMOVE_ALL:
                await run(connection, remove, within_s=WHOLE_TABLE_S)
            await run(connection, statements.BEGIN_HEAD, id=1, revision=0, epoch=_RESTORING)
            for chunk in chunks:
                text, values = write(msgspec.structs.replace(chunk, epoch=_RESTORING, base=0, head=0))
                await connection.execute(text, *values)
                places = {"to_revision": chunk.head, "to_instances": chunk.instance_number}
                places |= {"history_from": chunk.history_from}
            await run(connection, statements.SET_HEAD, to_epoch=chunk.epoch, **places)

    async def compact(self, first: int, before: int) -> None:
        async with self._connections.read_side() as connection:
            await run(connection, statements.COMPACT, first=first, before=before)

    async def revision_at(self, at: float) -> int | None:
        async with self._connections.read_side() as connection:
            found = await run(connection, statements.REVISION_AT, at=at)
        return found[0][0] if found else None

    async def revision_after(self, first: int, rows: int) -> int | None:
        async with self._connections.read_side() as connection:
            found = await run(connection, statements.REVISION_AFTER, first=first, rows=rows)
        return found[0][0] if found else None

    async def forget_onces(self, before: float, limit: int) -> int:
        text = statements.FORGET_ONCES
        async with self._connections.read_side() as connection:
            done = await connection.execute(text.text, *text.values({"before": before, "count": limit}))
        return int(done.rpartition(" ")[2])

    async def forget_history(self, before: float, limit: int) -> int:
        async with self._connections.read_side() as connection, connection.transaction():
            ((beginning,),) = await run(connection, statements.HISTORY_FROM)
            step = {"beginning": beginning, "moment": before, "count": limit}
            ((last, count),) = await run(connection, statements.NEXT_HISTORY, **step)
            if count and await run(connection, statements.MOVE_HISTORY, beginning=beginning, to=last):
                for forget in statements.FORGET_HISTORY:
                    await run(connection, forget, first=beginning + 1, last=last)
        return int(count)

    async def history_from(self) -> int:
        async with self._connections.read_side() as connection:
            found = await run(connection, statements.HISTORY_FROM)
        return found[0][0] if found else 0

    async def tokens(self) -> list[TokenRecord]:
        async with self._connections.read_side() as connection:
            return [TokenRecord(*row) for row in await run(connection, statements.ALL_TOKENS)]

    async def people(self) -> list[PeopleRecord]:
        async with self._connections.read_side() as connection:
            return [PeopleRecord(*row) for row in await run(connection, statements.ALL_PEOPLE)]

    async def audit_head(self) -> AuditHeadRecord:
        async with self._connections.commit_side() as connection:
            found = await run(connection, statements.AUDIT_HEAD_NOW)
        return AuditHeadRecord(*found[0]) if found else NO_AUDIT

    async def audit_after(self, seq: int, limit: int) -> list[AuditRecord]:
        async with self._connections.read_side() as connection:
            rows = await run(connection, statements.AUDIT_AFTER, after=seq, count=limit)
        return [AuditRecord(*row) for row in rows]

    async def audit_before(self, seq: int, limit: int) -> list[AuditRecord]:
        async with self._connections.read_side() as connection:
            rows = await run(connection, statements.AUDIT_BEFORE, before=seq, count=limit)
        return [AuditRecord(*row) for row in rows]

    async def tidy(self) -> None:
        """Its autovacuum does all of it; `meshway doctor` tells when that is off or does not keep up."""

    async def history(self, before: int, limit: int) -> list[HistoryRecord]:
        return await self._history(statements.HISTORY_BEFORE, before=before, count=limit)

    async def history_of(self, revision: int) -> list[HistoryRecord]:
        return await self._history(statements.HISTORY_OF, revision=revision)

    async def history_of_document(self, key: tuple[str, str, str], before: int, limit: int) -> list[HistoryRecord]:
        kind, namespace, name = key
        places = {"kind": kind, "namespace": namespace, "name": name}
        return await self._history(statements.HISTORY_OF_DOCUMENT, before=before, count=limit, **places)

    async def documents_at(self, revision: int) -> list[HistoryRecord]:
        found = await self._history(statements.DOCUMENTS_AT, revision=revision)
        begins = await self.history_from()
        if revision < begins:
            raise HistoryForgotten(begins)
        return found

    async def lead(self, what: str) -> bool:
        return await self._session.lead(what)

    async def share(self, what: str) -> bool:
        return await self._session.share(what)

    async def agree(self, what: str, said: str) -> bool | None:
        return await self._session.agree(what, said)

    async def hold_off(self, what: str) -> bool:
        return await self._session.hold_off(what)

    async def let_go(self, what: str) -> None:
        await self._session.let_go(what)

    def abandoned(self, what: str) -> bool:
        return what in self._session.abandoned

    async def forget_abandoned(self, what: str) -> None:
        await self._session.forget_abandoned(what)

    def missing(self) -> str | None:
        why = self._connections.away or self._refused
        return None if why is None else f"the store does not take writes: {why}"

    async def close(self) -> None:
        await self._session.close()
        await self._connections.close()

    async def _write(self, connection: Connection, batch: Batch, text: str, values: Sequence[Any]) -> bool:
        """Whether the head was where it was thought to be. Raises HeadMoved, too."""
        # A new connection may lead to another server (a failover): what the view holds must be compared first.
        if connection is not self._seen:
            raise HeadMoved(batch.base)
        try:
            within_s = ANSWER_S + _ROW_S * (len(batch.changes) + len(batch.history))
            return bool(await connection.fetch(text, *values, timeout=within_s))
        except asyncpg.UniqueViolationError as error:
            if error.table_name not in (IDEMPOTENCY_KEYS.name, AUDIT.name):
                raise
            # Another registry has done a call with the same key since it was asked for: judged again, it is known. Or
            # it has audited something that moved no revision: judged again, this comes behind.
            raise HeadMoved(batch.base) from error

    async def _history(self, statement: Statement, **values: Any) -> list[HistoryRecord]:
        async with self._connections.read_side() as connection:
            return [HistoryRecord(*row) for row in await run(connection, statement, **values)]

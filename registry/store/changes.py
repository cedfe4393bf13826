"""The change log: every revision with its changes, for whoever was away."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, delete, func, select

from registry.store.bulk import Bulk
from registry.store.compiled import NO_OFFSET, insert, sql
from registry.store.interface import ChangeRecord
from registry.store.tables.revisions import CHANGES

_ADD: Final = Bulk(CHANGES, insert)
_ORDER: Final = (CHANGES.c.revision, CHANGES.c.position)
_FIRST: Final = sql(select(func.min(CHANGES.c.revision)))
_FROM: Final = sql(
    select(CHANGES).where(CHANGES.c.revision >= bindparam("first")).order_by(*_ORDER).limit(bindparam("count"))
)
_REST: Final = sql(
    select(CHANGES)
    .where(CHANGES.c.revision == bindparam("revision"), CHANGES.c.position > bindparam("position"))
    .order_by(CHANGES.c.position)
)
# In order of revisions: what is older has mostly been compacted, so the first match is near the beginning.
_REVISION_AT: Final = sql(
    select(CHANGES.c.revision)
    .where(CHANGES.c.at >= bindparam("at"))
    .order_by(CHANGES.c.revision)
    .limit(bindparam("count"))
)
_AT: Final = sql(select(CHANGES.c.at).where(CHANGES.c.revision == bindparam("revision"), CHANGES.c.position == 0))
_AFTER: Final = sql(
    select(CHANGES.c.revision)
    .where(CHANGES.c.revision >= bindparam("first"))
    .order_by(*_ORDER)
    .limit(bindparam("count"))
    .offset(bindparam("rows"))
)
_COMPACT: Final = sql(
    delete(CHANGES).where(CHANGES.c.revision >= bindparam("first"), CHANGES.c.revision < bindparam("before"))
)


def add(connection: sqlite3.Connection, records: Sequence[ChangeRecord]) -> None:
    _ADD.run(connection, records)


def first_revision(connection: sqlite3.Connection) -> int | None:
    """None: the log is empty."""
    revision: int | None = connection.execute(_FIRST).fetchone()[0]
    return revision


def at_of(connection: sqlite3.Connection, revision: int) -> float | None:
    """When a revision was committed; None: it is not in the log."""
    row = connection.execute(_AT, (revision, 0)).fetchone()
    return None if row is None else float(row[0])


def read_from(connection: sqlite3.Connection, first: int, limit: int) -> list[ChangeRecord]:
    """About `limit` rows; the last revision among them may be cut, see `rest_of`."""
    return [ChangeRecord(*row) for row in connection.execute(_FROM, (first, limit, NO_OFFSET))]


def rest_of(connection: sqlite3.Connection, revision: int, position: int) -> list[ChangeRecord]:
    """What follows `position` within a revision."""
    return [ChangeRecord(*row) for row in connection.execute(_REST, (revision, position))]


def revision_at(connection: sqlite3.Connection, at: float) -> int | None:
    """The first revision not older than `at`."""
    row = connection.execute(_REVISION_AT, (at, 1, NO_OFFSET)).fetchone()
    return None if row is None else int(row[0])


def revision_after(connection: sqlite3.Connection, first: int, rows: int) -> int | None:
    """The revision that is so many rows on from `first`; None: the log ends before."""
    row = connection.execute(_AFTER, (first, 1, rows)).fetchone()
    return None if row is None else int(row[0])


def compact(connection: sqlite3.Connection, first: int, before: int) -> int:
    """Forgets revisions `first` to `before - 1`; how many rows they were."""
    return connection.execute(_COMPACT, (first, before)).rowcount

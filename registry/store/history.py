"""Every state a document ever had: who, when, what."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, and_, bindparam, delete, func, select, tuple_, update

from registry.store.bulk import Bulk
from registry.store.compiled import NO_OFFSET, insert, sql
from registry.store.interface import HistoryRecord
from registry.store.tables.revisions import DOCUMENT_HISTORY as HISTORY
from registry.store.tables.revisions import HEAD

_ADD: Final = Bulk(HISTORY, insert)
_KEY: Final = (HISTORY.c.kind, HISTORY.c.namespace, HISTORY.c.name)

_revisions = (
    select(HISTORY.c.revision)
    .where(HISTORY.c.revision < bindparam("before"))
    .distinct()
    .order_by(HISTORY.c.revision.desc())
    .limit(bindparam("count"))
)
_BEFORE: Final = sql(
    select(HISTORY).where(HISTORY.c.revision.in_(_revisions)).order_by(HISTORY.c.revision.desc(), *_KEY)
)
_OF: Final = sql(select(HISTORY).where(HISTORY.c.revision == bindparam("revision")).order_by(*_KEY))
_latest = (
    select(*_KEY, func.max(HISTORY.c.revision).label("revision"))
    .where(HISTORY.c.revision <= bindparam("revision"))
    .group_by(*_KEY)
    .subquery()
)
_AT: Final = sql(
    select(HISTORY)
    .join(
        _latest,
        (HISTORY.c.revision == _latest.c.revision)
        & (HISTORY.c.kind == _latest.c.kind)
        & (HISTORY.c.namespace == _latest.c.namespace)
        & (HISTORY.c.name == _latest.c.name),
    )
    .where(HISTORY.c.value.is_not(None))
    .order_by(*_KEY)
)

_OF_DOCUMENT: Final = sql(
    select(HISTORY)
    .where(*(column == bindparam(column.name) for column in _KEY), HISTORY.c.revision < bindparam("before"))
    .order_by(HISTORY.c.revision.desc())
    .limit(bindparam("count"))
)


# The beginning moves over some states at a time, to one that is older than the moment. What these states took the place
# of goes with it, in the same transaction: from there on every revision can still be told.
_aged = (
    select(HISTORY.c.revision)
    .where(HISTORY.c.revision > bindparam("beginning", type_=BigInteger), HISTORY.c.at < bindparam("moment"))
    .order_by(HISTORY.c.revision)
    .limit(bindparam("count", type_=BigInteger))
    .subquery()
)
NEXT_BEGINNING: Final = select(func.max(_aged.c.revision), func.count())
# Only from where it was read: one that led before, and was slow, must not take it back over what is forgotten by now.
MOVE_BEGINNING: Final = (
    update(HEAD)
    .where(HEAD.c.history_from == bindparam("beginning", type_=BigInteger))
    .values(history_from=bindparam("to", type_=BigInteger))
)
_later = HISTORY.alias("later")
_replaced = select(HISTORY.c.revision, *_KEY).join(
    _later,
    and_(*(_later.c[column.name] == column for column in _KEY), _later.c.revision > HISTORY.c.revision)
    & _later.c.revision.between(bindparam("first", type_=BigInteger), bindparam("last", type_=BigInteger)),
)
FORGET_REPLACED: Final = delete(HISTORY).where(tuple_(HISTORY.c.revision, *_KEY).in_(_replaced))
# After the states before them: a document would come back from the dead.
FORGET_DELETIONS: Final = delete(HISTORY).where(
    HISTORY.c.value.is_(None),
    HISTORY.c.revision.between(bindparam("first", type_=BigInteger), bindparam("last", type_=BigInteger)),
)
_NEXT_BEGINNING: Final = sql(NEXT_BEGINNING)
_MOVE_BEGINNING: Final = sql(MOVE_BEGINNING)
_FORGET_REPLACED: Final = sql(FORGET_REPLACED)
_FORGET_DELETIONS: Final = sql(FORGET_DELETIONS)


def add(connection: sqlite3.Connection, records: Sequence[HistoryRecord]) -> None:
    _ADD.run(connection, records)


def before(connection: sqlite3.Connection, revision: int, limit: int) -> list[HistoryRecord]:
    """Whole revisions older than `revision`, newest first, at most `limit` of them."""
    return [HistoryRecord(*row) for row in connection.execute(_BEFORE, (revision, limit, NO_OFFSET))]


def of(connection: sqlite3.Connection, revision: int) -> list[HistoryRecord]:
    return [HistoryRecord(*row) for row in connection.execute(_OF, (revision,))]


def of_document(
    connection: sqlite3.Connection, key: tuple[str, str, str], before: int, limit: int
) -> list[HistoryRecord]:
    """key: kind, namespace, name. Its states older than `before`, newest first."""
    return [HistoryRecord(*row) for row in connection.execute(_OF_DOCUMENT, (*key, before, limit, NO_OFFSET))]


def documents_at(connection: sqlite3.Connection, revision: int) -> list[HistoryRecord]:
    """The documents that stood at a revision, as far as the history tells."""
    return [HistoryRecord(*row) for row in connection.execute(_AT, (revision,))]


def forget(connection: sqlite3.Connection, beginning: int, moment: float, limit: int) -> int:
    """Within a transaction. beginning: of the history so far. How many states it got over; 0: there are no more."""
    last, count = connection.execute(_NEXT_BEGINNING, (beginning, moment, limit, NO_OFFSET)).fetchone()
    if count:
        connection.execute(_MOVE_BEGINNING, (last, beginning))
        connection.execute(_FORGET_REPLACED, (beginning + 1, last))
        connection.execute(_FORGET_DELETIONS, (beginning + 1, last))
    return int(count)

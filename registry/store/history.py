"""Every state a document ever had: who, when, what."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, bindparam, delete, func, select, tuple_, update

from registry.store.bulk import Bulk
from registry.store.compiled import NO_OFFSET, insert, sql
from registry.store.interface import HistoryRecord
from registry.store.tables import DOCUMENT_HISTORY as HISTORY
from registry.store.tables import HEAD

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


# Whatever was true at the last revision before a moment stays known: that revision is where the history then begins.
_last_before = select(func.max(HISTORY.c.revision)).where(HISTORY.c.at < bindparam("moment")).scalar_subquery()
MOVE_BEGINNING: Final = update(HEAD).values(history_from=_last_before).where(HEAD.c.history_from < _last_before)
_beginning = select(HEAD.c.history_from).scalar_subquery()
_later = HISTORY.alias("later")
_forgettable = (
    select(HISTORY.c.revision, *_KEY)
    .where(
        HISTORY.c.revision <= _beginning,
        HISTORY.c.value.is_(None)
        | select(_later.c.revision)
        .where(
            *(_later.c[column.name] == column for column in _KEY),
            _later.c.revision > HISTORY.c.revision,
            _later.c.revision <= _beginning,
        )
        .exists(),
    )
    # A deletion may only go after the states before it: a document would come back from the dead.
    .order_by(HISTORY.c.revision)
    .limit(bindparam("count", type_=BigInteger))
)
FORGET: Final = delete(HISTORY).where(tuple_(HISTORY.c.revision, *_KEY).in_(_forgettable))
_MOVE_BEGINNING: Final = sql(MOVE_BEGINNING)
_FORGET: Final = sql(FORGET)


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


def forget(connection: sqlite3.Connection, moment: float, limit: int) -> int:
    """Two statements of one transaction; how many rows went."""
    connection.execute(_MOVE_BEGINNING, (moment, moment))
    return connection.execute(_FORGET, (limit, NO_OFFSET)).rowcount

"""Core constructs turned into asyncpg's SQL once; at run time only text and values meet the database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, LargeBinary, Text, bindparam, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from registry.store import audit, history, idempotency
from registry.store.tables.people import PEOPLE, TOKENS
from registry.store.tables.revisions import (
    CHANGES,
    DOCUMENT_HISTORY,
    DOCUMENTS,
    HEAD,
    IDEMPOTENCY_KEYS,
    INSTANCES,
    NAMESPACES,
)
from registry.store.tables.trust import DATA_KEYS
from registry.store.tables.whole import OF_REVISIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Column, Table
    from sqlalchemy.sql.elements import ClauseElement

    from registry.store.steps import Query

_DIALECT: Final = dialect.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects bear no types


class Statement:
    """text: with `$1` …; values are given by the names of the binds."""

    __slots__ = ("_names", "_written", "text")

    def __init__(self, construct: ClauseElement) -> None:
        compiled: Any = construct.compile(dialect=_DIALECT)
        self.text = str(compiled)
        self._names: list[str] = compiled.positiontup or []
        self._written: dict[str, Any] = compiled.params

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """In the order of the text; what the construct itself holds is filled in."""
        return [given[name] if name in given else self._written[name] for name in self._names]


@cache
def compiled(query: Query) -> Statement:
    return Statement(query.construct)


_ORDER: Final = (CHANGES.c.revision, CHANGES.c.position)
_HISTORY_KEY: Final = (DOCUMENT_HISTORY.c.kind, DOCUMENT_HISTORY.c.namespace, DOCUMENT_HISTORY.c.name)


def _at_of(revision: Any) -> Any:
    return (
        select(CHANGES.c.at)
        .where(CHANGES.c.revision == revision, CHANGES.c.position == 0)
        .scalar_subquery()
        .label("committed_at")
    )


READ_HEAD: Final = Statement(
    select(
        HEAD.c.epoch,
        HEAD.c.revision,
        HEAD.c.instances,
        _at_of(HEAD.c.revision),
        select(func.min(CHANGES.c.revision)).scalar_subquery().label("floor"),
    )
)
MOVES: Final = Statement(select(HEAD.c.epoch, HEAD.c.revision, HEAD.c.instances, _at_of(bindparam("since"))))
LOCK_HEAD: Final = Statement(select(HEAD.c.id).with_for_update())
BEGIN_HEAD: Final = Statement(
    insert(HEAD)
    .values(id=bindparam("id"), revision=bindparam("revision"), epoch=bindparam("epoch"), instances=0)
    .on_conflict_do_nothing()
)
BEGIN_EPOCH: Final = Statement(
    update(HEAD)
    .values(epoch=bindparam("to_epoch"), revision=bindparam("to_revision"), instances=bindparam("to_instances"))
    .where(HEAD.c.epoch == bindparam("from_epoch"), HEAD.c.revision == bindparam("from_revision"))
    .returning(HEAD.c.id)
)
FORGET_LOG: Final = Statement(delete(CHANGES))
SET_HEAD: Final = Statement(
    update(HEAD).values(
        epoch=bindparam("to_epoch"),
        revision=bindparam("to_revision"),
        instances=bindparam("to_instances"),
        history_from=bindparam("history_from"),
    )
)
REMOVE_ALL: Final = tuple(Statement(delete(table)) for table in OF_REVISIONS)

NAMESPACE_NAMES: Final = Statement(select(NAMESPACES.c.name).order_by(NAMESPACES.c.name))
ALL_INSTANCES: Final = Statement(select(INSTANCES))
ALL_DOCUMENTS: Final = Statement(select(DOCUMENTS))
ALL_TOKENS: Final = Statement(select(TOKENS))
ALL_PEOPLE: Final = Statement(select(PEOPLE))
AUDIT_HEAD_NOW: Final = Statement(audit.HEAD)
AUDIT_AFTER: Final = Statement(audit.AFTER)
AUDIT_BEFORE: Final = Statement(audit.BEFORE)
ONCES: Final = Statement(
    select(IDEMPOTENCY_KEYS).where(IDEMPOTENCY_KEYS.c.key == func.any(bindparam("keys", type_=ARRAY(Text))))
)
FORGET_ONCES: Final = Statement(idempotency.FORGET)

DATA_KEYS_KEPT: Final = Statement(select(DATA_KEYS))
ADD_DATA_KEY: Final = Statement(
    insert(DATA_KEYS).values(name=bindparam("name"), wrapped=bindparam("wrapped")).on_conflict_do_nothing()
)

CHANGES_FROM: Final = Statement(
    select(CHANGES)
    .where(CHANGES.c.revision >= bindparam("first"))
    .order_by(*_ORDER)
    .limit(bindparam("count", type_=BigInteger))
)
REST_OF: Final = Statement(
    select(CHANGES)
    .where(CHANGES.c.revision == bindparam("revision"), CHANGES.c.position > bindparam("position"))
    .order_by(CHANGES.c.position)
)
REVISION_AT: Final = Statement(
    select(CHANGES.c.revision).where(CHANGES.c.at >= bindparam("at")).order_by(CHANGES.c.revision).limit(1)
)
REVISION_AFTER: Final = Statement(
    select(CHANGES.c.revision)
    .where(CHANGES.c.revision >= bindparam("first"))
    .order_by(*_ORDER)
    .offset(bindparam("rows", type_=BigInteger))
    .limit(1)
)
COMPACT: Final = Statement(
    delete(CHANGES).where(CHANGES.c.revision >= bindparam("first"), CHANGES.c.revision < bindparam("before"))
)


def _trial(table: Table, numbered: Column[Any]) -> Statement:
    """An insert of rows that are numbered by one column and nothing in all others but one, which is `filler`."""
    at = func.generate_series(1, bindparam("rows", type_=BigInteger)).column_valued("at")
    filler = bindparam("filler", type_=LargeBinary)
    nothing = {Text: "", LargeBinary: filler}
    columns = list(table.columns)
    values = [cast(at if column is numbered else nothing.get(type(column.type), 0), column.type) for column in columns]
    return Statement(insert(table).from_select(columns, select(*values)))


# Rows of the two tables that grow with every call. No instance has this name, and no change this revision.
TRIALS: Final = (_trial(INSTANCES, INSTANCES.c.id), _trial(CHANGES, CHANGES.c.position))
END_TRIALS: Final = (
    Statement(delete(INSTANCES).where(INSTANCES.c.namespace == "")),
    Statement(delete(CHANGES).where(CHANGES.c.revision == 0)),
)

_young = (
    select(DOCUMENT_HISTORY.c.revision)
    .where(DOCUMENT_HISTORY.c.revision < bindparam("before"))
    .distinct()
    .order_by(DOCUMENT_HISTORY.c.revision.desc())
    .limit(bindparam("count", type_=BigInteger))
)
HISTORY_BEFORE: Final = Statement(
    select(DOCUMENT_HISTORY)
    .where(DOCUMENT_HISTORY.c.revision.in_(_young))
    .order_by(DOCUMENT_HISTORY.c.revision.desc(), *_HISTORY_KEY)
)
HISTORY_OF_DOCUMENT: Final = Statement(
    select(DOCUMENT_HISTORY)
    .where(
        *(column == bindparam(column.name, type_=Text) for column in _HISTORY_KEY),
        DOCUMENT_HISTORY.c.revision < bindparam("before"),
    )
    .order_by(DOCUMENT_HISTORY.c.revision.desc())
    .limit(bindparam("count", type_=BigInteger))
)
HISTORY_OF: Final = Statement(
    select(DOCUMENT_HISTORY).where(DOCUMENT_HISTORY.c.revision == bindparam("revision")).order_by(*_HISTORY_KEY)
)
_latest = (
    select(DOCUMENT_HISTORY)
    .where(DOCUMENT_HISTORY.c.revision <= bindparam("revision"))
    .ext(distinct_on(*_HISTORY_KEY))
    .order_by(*_HISTORY_KEY, DOCUMENT_HISTORY.c.revision.desc())
    .subquery()
)
HISTORY_FROM: Final = Statement(select(HEAD.c.history_from))
NEXT_HISTORY: Final = Statement(history.NEXT_BEGINNING)
MOVE_HISTORY: Final = Statement(history.MOVE_BEGINNING.returning(HEAD.c.id))
FORGET_HISTORY: Final = (Statement(history.FORGET_REPLACED), Statement(history.FORGET_DELETIONS))
DOCUMENTS_AT: Final = Statement(
    select(_latest).where(_latest.c.value.is_not(None)).order_by(_latest.c.kind, _latest.c.namespace, _latest.c.name)
)

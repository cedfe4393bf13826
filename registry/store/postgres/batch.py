"""A batch as one statement: the head moves, and with it every row, or nothing does.

One statement is one round trip and one transaction. Its snapshot may be older than its turn at the head; but the head
only moves when it stands where the batch was judged, so nobody has committed in between, and nothing is read here.
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import CTE, BigInteger, Column, Table, Text, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from registry.store.postgres.statements import Statement
from registry.store.tables.people import AUDIT, AUDIT_HEAD, PEOPLE, TOKENS
from registry.store.tables.revisions import (
    CHANGES,
    DOCUMENT_HISTORY,
    DOCUMENTS,
    HEAD,
    IDEMPOTENCY_KEYS,
    INSTANCES,
    NAMESPACES,
)
from registry.store.tables.trust import AUTHORITIES, CERTIFICATES, DATA_KEYS, TRUST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.dialects.postgresql import Insert

    from registry.store.interface import Batch

CHANNEL: Final = "meshway_revision"
_COMMON: Final = frozenset({"instances", "changes"})


def write(batch: Batch) -> tuple[str, list[Any]]:
    """The statement and its values. It gives one row, or none when the head is not where the batch was judged."""
    parts = frozenset(name for name in _PARTS if getattr(batch, name))
    statement = _statement(parts)
    values: dict[str, Any] = {
        "epoch": batch.epoch,
        "base": batch.base,
        "to": batch.head,
        "last": batch.instance_number,
        "note": str(batch.head),
    }
    for name in parts:
        rows = getattr(batch, name)
        columns = _PARTS[name].columns
        if name == "namespaces":
            values["namespaces_name"], values["namespaces_created_at"] = rows, [batch.at] * len(rows)
            continue
        tuples = map(_PARTS[name].values, rows) if isinstance(rows[0], msgspec.Struct) else rows
        values.update(zip([f"{name}_{column.name}" for column in columns], zip(*tuples, strict=True), strict=True))
    return statement.text, statement.values(values)


class _Part:
    """What one list of a batch does to a table. columns: of its rows, in order. values: these of a record, by name."""

    def __init__(self, table: Table, verb: str) -> None:
        self.table = table
        self.verb = verb
        self.columns: Sequence[Column[Any]] = (
            list(table.primary_key.columns) if verb == "delete" else list(table.columns)
        )
        self.values = attrgetter(*(column.name for column in self.columns))

    def cte(self, name: str, moved: CTE) -> CTE:
        table, names = self.table, [column.name for column in self.columns]
        arrays = [bindparam(f"{name}_{column.name}", type_=ARRAY(column.type)) for column in self.columns]
        given = func.unnest(*arrays).table_valued(*names).render_derived()
        has_moved = exists(select(moved.c.revision))
        if self.verb == "delete":
            same = [column == given.c[column.name] for column in self.columns]
            return delete(table).where(*same, has_moved).returning(*self.columns[:1]).cte(name)
        statement = insert(table).from_select(names, select(*(given.c[one] for one in names)).where(has_moved))
        if self.verb == "add":
            statement = statement.on_conflict_do_nothing()
        elif self.verb in ("put", "newest"):
            keys = {column.name for column in table.primary_key.columns}
            changed = {one: statement.excluded[one] for one in names if one not in keys}
            statement = statement.on_conflict_do_update(
                index_elements=list(table.primary_key), set_=changed, where=self._where(statement)
            )
        return statement.returning(*self.columns[:1]).cte(name)

    def _where(self, statement: Insert) -> ColumnElement[bool] | None:
        """A row of a younger version stays."""
        return self.table.c.version < statement.excluded.version if self.verb == "newest" else None


_PARTS: Final = {
    "namespaces": _Part(NAMESPACES, "add"),
    "instances": _Part(INSTANCES, "put"),
    "gone_instances": _Part(INSTANCES, "delete"),
    "documents": _Part(DOCUMENTS, "put"),
    "gone_documents": _Part(DOCUMENTS, "delete"),
    "history": _Part(DOCUMENT_HISTORY, "insert"),
    "changes": _Part(CHANGES, "insert"),
    "onces": _Part(IDEMPOTENCY_KEYS, "insert"),
    "tokens": _Part(TOKENS, "put"),
    "people": _Part(PEOPLE, "newest"),
    "audit": _Part(AUDIT, "insert"),
    "audit_head": _Part(AUDIT_HEAD, "put"),
    "data_keys": _Part(DATA_KEYS, "add"),
    "trust": _Part(TRUST, "insert"),
    "authorities": _Part(AUTHORITIES, "insert"),
    "certificates": _Part(CERTIFICATES, "insert"),
}


@cache
def _statement(parts: frozenset[str]) -> Statement:
    """Compiled once for each set of lists that are not empty; there are few of them."""
    moved = (
        update(HEAD)
        .values(revision=bindparam("to", type_=BigInteger), instances=bindparam("last", type_=BigInteger))
        .where(HEAD.c.revision == bindparam("base", type_=BigInteger), HEAD.c.epoch == bindparam("epoch", type_=Text))
        .returning(HEAD.c.revision)
        .cte("moved")
    )
    notified = func.pg_notify(bindparam("channel", CHANNEL, type_=Text), bindparam("note", type_=Text))
    written = select(notified).select_from(moved)
    for name in sorted(parts):
        written = written.add_cte(_PARTS[name].cte(name, moved))
    return Statement(written)


_statement(_COMMON)

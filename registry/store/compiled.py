"""Core constructs turned into SQL text once, at import; after that only text and tuples meet the database.

Compiling per call would cost more than the insert (678 µs against 49 for a registration).
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Table, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import ClauseElement

from registry.store.steps import Query

_DIALECT: Final = SQLiteDialect(paramstyle="qmark")
NO_OFFSET: Final = 0  # the SQLite dialect writes a LIMIT as LIMIT ? OFFSET ?


def sql(statement: ClauseElement) -> str:
    """The text, with `?` in the order the binds stand in it."""
    return str(statement.compile(dialect=_DIALECT))


@cache
def positional(query: Query) -> tuple[str, Callable[[Mapping[str, Any]], list[Any]]]:
    """The text, and what orders values by name as it wants them."""
    compiled: Any = query.construct.compile(dialect=_DIALECT)
    names: list[str] = compiled.positiontup or []
    written: dict[str, Any] = compiled.params
    return str(compiled), lambda given: [given[name] if name in given else written[name] for name in names]


def insert(table: Table, rows: int = 1) -> Any:
    """An insert of whole rows; binds in column order, row after row."""
    return sqlite.insert(table).values(
        [{column.name: bindparam(f"{column.name}_{row}") for column in table.columns} for row in range(rows)]
    )


def upsert(table: Table, rows: int = 1, *, newest: Column[Any] | None = None) -> Insert:
    """The same, taking the place of a row with the same key. newest: only of one that has less in this column."""
    statement = insert(table, rows)
    keys = {column.name for column in table.primary_key.columns}
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    where = None if newest is None else newest < statement.excluded[newest.name]
    result: Insert = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=changed, where=where
    )
    return result

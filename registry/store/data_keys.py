"""The keys that seal what the store holds, wrapped."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import LargeBinary, Text, bindparam, select, update

from registry.store.compiled import insert, sql
from registry.store.interface import DataKeyRecord
from registry.store.steps import Query, Step
from registry.store.tables.trust import DATA_KEYS

_ALL: Final = sql(select(DATA_KEYS))
_ADD: Final = sql(insert(DATA_KEYS).on_conflict_do_nothing())


_REWRAP: Final = Query(
    update(DATA_KEYS)
    .values(wrapped=bindparam("fresh", type_=LargeBinary))
    .where(
        DATA_KEYS.c.name == bindparam("which", type_=Text),
        DATA_KEYS.c.wrapped == bindparam("former", type_=LargeBinary),
    )
    .returning(DATA_KEYS.c.name)
)


def rewrap(record: DataKeyRecord, wrapped: bytes) -> Step:
    """The same key, wrapped anew. NoRow: it is not as in the record any more."""
    return Step(_REWRAP, {"which": record.name, "former": record.wrapped, "fresh": wrapped}, needs_row=True)


def read_all(connection: sqlite3.Connection) -> list[DataKeyRecord]:
    return [DataKeyRecord(*row) for row in connection.execute(_ALL)]


def add(connection: sqlite3.Connection, records: Sequence[DataKeyRecord]) -> None:
    """One whose name is there already is left as it is."""
    connection.executemany(_ADD, [(record.name, record.wrapped) for record in records])

"""The keys that seal what the store holds, wrapped."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from registry.store.compiled import insert, sql
from registry.store.interface import DataKeyRecord
from registry.store.tables import DATA_KEYS

_ALL: Final = sql(select(DATA_KEYS))
_ADD: Final = sql(insert(DATA_KEYS).on_conflict_do_nothing())


def read_all(connection: sqlite3.Connection) -> list[DataKeyRecord]:
    return [DataKeyRecord(*row) for row in connection.execute(_ALL)]


def add(connection: sqlite3.Connection, records: Sequence[DataKeyRecord]) -> None:
    """One whose name is there already is left as it is."""
    connection.executemany(_ADD, [(record.name, record.wrapped) for record in records])

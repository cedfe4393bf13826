"""Namespaces, which exist from their first use on."""

import sqlite3
from typing import Final

from sqlalchemy import select

from registry.store.compiled import insert, sql
from registry.store.tables.revisions import NAMESPACES

_ALL: Final = sql(select(NAMESPACES.c.name).order_by(NAMESPACES.c.name))
_ADD: Final = sql(insert(NAMESPACES).on_conflict_do_nothing())


def read_all(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute(_ALL)]


def add(connection: sqlite3.Connection, names: list[str], at: float) -> None:
    connection.executemany(_ADD, [(name, at) for name in names])

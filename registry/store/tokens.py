"""Tokens: what is kept of them, those that are over among them."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import select

from registry.store.compiled import sql, upsert
from registry.store.interface import TokenRecord
from registry.store.tables import TOKENS

_ALL: Final = sql(select(TOKENS))
_PUT: Final = sql(upsert(TOKENS))


def read_all(connection: sqlite3.Connection) -> list[TokenRecord]:
    return [TokenRecord(*row) for row in connection.execute(_ALL)]


def put(connection: sqlite3.Connection, records: Sequence[TokenRecord]) -> None:
    connection.executemany(_PUT, [msgspec.structs.astuple(record) for record in records])

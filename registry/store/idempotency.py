"""What repeated calls are answered with."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, bindparam, delete, select

from registry.store.compiled import NO_OFFSET, sql, upsert
from registry.store.interface import OnceRecord
from registry.store.tables.revisions import IDEMPOTENCY_KEYS as KEYS

_ALL: Final = sql(select(KEYS).order_by(KEYS.c.at))
_ADD: Final = sql(upsert(KEYS))
_REMOVE: Final = sql(delete(KEYS).where(KEYS.c.key == bindparam("key")))
_old = (
    select(KEYS.c.key)
    .where(KEYS.c.at < bindparam("before"))
    .order_by(KEYS.c.at)
    .limit(bindparam("count", type_=BigInteger))
)
FORGET: Final = delete(KEYS).where(KEYS.c.key.in_(_old))
_FORGET: Final = sql(FORGET)


def read_all(connection: sqlite3.Connection) -> list[OnceRecord]:
    """Oldest first."""
    return [OnceRecord(*row) for row in connection.execute(_ALL)]


def add(connection: sqlite3.Connection, records: Sequence[OnceRecord]) -> None:
    connection.executemany(_ADD, [(record.key, record.fingerprint, record.at, record.answer) for record in records])


def remove(connection: sqlite3.Connection, key: str) -> None:
    connection.execute(_REMOVE, (key,))


def forget(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """How many went."""
    return connection.execute(_FORGET, (before, limit, NO_OFFSET)).rowcount

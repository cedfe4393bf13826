"""The single row that orders all commits."""

import sqlite3
from typing import Final

from sqlalchemy import bindparam, select, update

from registry.store.compiled import insert, sql
from registry.store.tables import HEAD

_READ: Final = sql(select(HEAD.c.epoch, HEAD.c.revision, HEAD.c.instances))
_MOVE: Final = sql(
    update(HEAD)
    .values(revision=bindparam("to"), instances=bindparam("last"))
    .where(HEAD.c.revision == bindparam("base"))
)
_BEGIN: Final = sql(insert(HEAD))


def read(connection: sqlite3.Connection) -> tuple[str, int, int] | None:
    """Epoch, revision, last instance number; None in a new database."""
    row: tuple[str, int, int] | None = connection.execute(_READ).fetchone()
    return row


def begin(connection: sqlite3.Connection, epoch: str) -> None:
    connection.execute(_BEGIN, (1, 0, epoch, 0))


def move(connection: sqlite3.Connection, *, base: int, to: int, instances: int) -> bool:
    """False when the head is not at `base`."""
    return connection.execute(_MOVE, (to, instances, base)).rowcount == 1

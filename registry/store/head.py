"""The single row that orders all commits."""

import sqlite3
from typing import Final

from sqlalchemy import bindparam, select, update

from registry.store.compiled import insert, sql
from registry.store.tables.revisions import HEAD

_READ: Final = sql(select(HEAD.c.epoch, HEAD.c.revision, HEAD.c.instances))
_MOVE: Final = sql(
    update(HEAD)
    .values(revision=bindparam("to"), instances=bindparam("last"))
    .where(HEAD.c.revision == bindparam("base"))
)
_BEGIN: Final = sql(insert(HEAD))
_HISTORY_FROM: Final = sql(select(HEAD.c.history_from))
_SET_HISTORY_FROM: Final = sql(update(HEAD).values(history_from=bindparam("from")))


def read(connection: sqlite3.Connection) -> tuple[str, int, int] | None:
    """Epoch, revision, last instance number; None in a new database."""
    row: tuple[str, int, int] | None = connection.execute(_READ).fetchone()
    return row


def begin(connection: sqlite3.Connection, epoch: str) -> None:
    connection.execute(_BEGIN, (1, 0, epoch, 0, 0))


def move(connection: sqlite3.Connection, *, base: int, to: int, instances: int) -> bool:
    """False when the head is not at `base`."""
    return connection.execute(_MOVE, (to, instances, base)).rowcount == 1


def history_from(connection: sqlite3.Connection) -> int:
    row = connection.execute(_HISTORY_FROM).fetchone()
    return 0 if row is None else int(row[0])


def set_history_from(connection: sqlite3.Connection, revision: int) -> None:
    connection.execute(_SET_HISTORY_FROM, (revision,))

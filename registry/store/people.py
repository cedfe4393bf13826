"""People who sign in: what is kept of users, bindings, sessions and links."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Float, bindparam, delete, select

from registry.store.compiled import sql, upsert
from registry.store.interface import PeopleRecord
from registry.store.steps import Query, Step
from registry.store.tables.people import PEOPLE

_ALL: Final = sql(select(PEOPLE))
_PUT: Final = sql(upsert(PEOPLE, newest=PEOPLE.c.version))
_FORGET: Final = Query(delete(PEOPLE).where(PEOPLE.c.until < bindparam("before", type_=Float)))


def read_all(connection: sqlite3.Connection) -> list[PeopleRecord]:
    return [PeopleRecord(*row) for row in connection.execute(_ALL)]


def put(connection: sqlite3.Connection, records: Sequence[PeopleRecord]) -> None:
    """A row of a younger version stays."""
    connection.executemany(_PUT, [msgspec.structs.astuple(record) for record in records])


def forget_people(before: float) -> Step:
    """before: seconds since 1970."""
    return Step(_FORGET, {"before": before})

"""Tokens: what is kept of them, those that are over among them for a while."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Float, Text, bindparam, delete, or_, select

from registry.store.compiled import sql, upsert
from registry.store.interface import TokenRecord
from registry.store.steps import Query, Step
from registry.store.tables.people import TOKENS

_ALL: Final = sql(select(TOKENS))
_PUT: Final = sql(upsert(TOKENS))


def read_all(connection: sqlite3.Connection) -> list[TokenRecord]:
    return [TokenRecord(*row) for row in connection.execute(_ALL)]


_FORGET: Final = Query(
    delete(TOKENS).where(
        TOKENS.c.id != bindparam("kept", type_=Text),
        or_(
            TOKENS.c.revoked_at < bindparam("before", type_=Float),
            TOKENS.c.expires_at < bindparam("before", type_=Float),
        ),
    )
)


def forget_tokens(before: float, kept: str) -> Step:
    """Those that were revoked, or over, at this time (seconds since 1970), but the one of this id."""
    return Step(_FORGET, {"before": before, "kept": kept})


def put(connection: sqlite3.Connection, records: Sequence[TokenRecord]) -> None:
    connection.executemany(_PUT, [msgspec.structs.astuple(record) for record in records])

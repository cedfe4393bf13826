"""Documents as they stand now."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, delete, select

from registry.store.bulk import Bulk
from registry.store.compiled import sql, upsert
from registry.store.interface import DocumentRecord
from registry.store.tables.revisions import DOCUMENTS

_ALL: Final = sql(select(DOCUMENTS))
_PUT: Final = Bulk(DOCUMENTS, upsert)
_REMOVE: Final = sql(delete(DOCUMENTS).where(*(column == bindparam(column.name) for column in DOCUMENTS.primary_key)))


def read_all(connection: sqlite3.Connection) -> list[DocumentRecord]:
    return [DocumentRecord(*row) for row in connection.execute(_ALL)]


def put(connection: sqlite3.Connection, records: Sequence[DocumentRecord]) -> None:
    _PUT.run(connection, records)


def remove(connection: sqlite3.Connection, keys: Sequence[tuple[str, str, str]]) -> None:
    """keys: kind, namespace, name."""
    connection.executemany(_REMOVE, keys)

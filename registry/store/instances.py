"""Instances as they were last registered, with what their leases need after a restart."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, delete, select

from registry.store.bulk import Bulk
from registry.store.compiled import sql, upsert
from registry.store.interface import InstanceRecord
from registry.store.tables.revisions import INSTANCES

_ALL: Final = sql(select(INSTANCES))
_PUT: Final = Bulk(INSTANCES, upsert)
_REMOVE: Final = sql(delete(INSTANCES).where(*(column == bindparam(column.name) for column in INSTANCES.primary_key)))


def read_all(connection: sqlite3.Connection) -> list[InstanceRecord]:
    return [InstanceRecord(*row) for row in connection.execute(_ALL)]


def put(connection: sqlite3.Connection, records: Sequence[InstanceRecord]) -> None:
    _PUT.run(connection, records)


def remove(connection: sqlite3.Connection, keys: Sequence[tuple[str, str, str]]) -> None:
    """keys: namespace, service, id."""
    connection.executemany(_REMOVE, keys)

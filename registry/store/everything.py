"""All tables at once, for what takes the place of the whole."""

import sqlite3
from typing import Final

from sqlalchemy import delete

from registry.store.compiled import sql
from registry.store.tables.whole import OF_REVISIONS

_REMOVE: Final = [sql(delete(table)) for table in OF_REVISIONS]


def remove(connection: sqlite3.Connection) -> None:
    for statement in _REMOVE:
        connection.execute(statement)

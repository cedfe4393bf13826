"""Many rows in few statements.

sqlite3 gives up the GIL at every statement, and the event loop may keep it for a switch interval before the writer
gets it back. So a batch is written as blocks of many rows: three statements instead of three thousand.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from sqlalchemy import Table
from sqlalchemy.sql.elements import ClauseElement

from registry.store.compiled import sql

_BLOCKS: Final = (128, 32, 8, 1)


class Bulk:
    """build(table, rows): the statement for a block of `rows` rows. Records are Structs in column order.

    The text of one row is made; those of blocks have its binds again and again, as SQLAlchemy would write them. Having
    it write 128 rows of four tables was an eighth of what a registry's start costs.
    """

    __slots__ = ("_texts",)

    def __init__(self, table: Table, build: Callable[[Table, int], ClauseElement]) -> None:
        one, row = sql(build(table, 1)), f"({', '.join('?' * len(table.columns))})"
        self._texts = {rows: one.replace(row, ", ".join([row] * rows), 1) for rows in _BLOCKS}

    def text(self, rows: int) -> str:
        """Of a block."""
        return self._texts[rows]

    def run(self, connection: sqlite3.Connection, records: Sequence[msgspec.Struct]) -> None:
        """The same key must not stand twice in `records`."""
        at = 0
        for rows in _BLOCKS:
            text = self._texts[rows]
            while len(records) - at >= rows:
                values: list[Any] = list(chain.from_iterable(map(msgspec.structs.astuple, records[at : at + rows])))
                connection.execute(text, values)
                at += rows

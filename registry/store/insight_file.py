"""Numbers of calls beside the embedded store: SQLite in a file of its own, with a thread of its own.

A commit of the catalogue waits for no flood of reports, and what is lost with the machine's power is a few seconds of
numbers: they are written without waiting for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from registry.settings import StartRefused
from registry.store.compiled import positional
from registry.store.interface import StoreUnavailable
from registry.store.steps import NoRow
from registry.store.tables.insight import INSIGHT_TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from registry.store.steps import Row, Step

FILE_NAME: Final = "insight.db"
_VERSION: Final = 1  # of the tables in the file, in SQLite's user_version
_BUSY_S: Final = 5.0


class InsightFile:
    """Opened in the constructor (blocking, a few ms), with the folder's lock held. Raises StartRefused."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE_NAME
        try:
            self._connection = _open(path)
        except sqlite3.Error as error:
            raise StartRefused(f"{path} cannot be opened: {error}") from error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="insight")

    async def do(self, steps: Sequence[Step]) -> list[list[Row]]:
        return await self._run(steps)

    async def read(self, steps: Sequence[Step]) -> list[list[Row]]:
        return await self._run(steps)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    async def _run(self, steps: Sequence[Step]) -> list[list[Row]]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, _do, self._connection, steps)
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    ((found,),) = connection.execute("PRAGMA user_version").fetchall()
    if found > _VERSION:
        connection.close()
        raise StartRefused(f"{path} is of version {found}, this registry knows {_VERSION}: install the newer Meshway")
    if found < _VERSION:
        dialect = sqlite.dialect()
        for table in INSIGHT_TABLES:
            connection.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)))
        connection.execute(f"PRAGMA user_version={_VERSION}")
    return connection


def _do(connection: sqlite3.Connection, steps: Sequence[Step]) -> list[list[Row]]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = []
        for at, step in enumerate(steps):
            text, values = positional(step.query)
            rows: list[Row] = connection.execute(text, values(step.values)).fetchall()
            if step.needs_row and not rows:
                raise NoRow(at)
            found.append(rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return found

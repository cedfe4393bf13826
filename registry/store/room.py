"""Statistics and free pages of the SQLite file, which nobody looks after but us."""

import sqlite3
from typing import Final

# A step of 64 KiB: pages are moved from the end of the file to anywhere, and 1 MiB of them held a commit up for 0.2 s.
_STEP_PAGES: Final = 16
# What the next changes need anyway stays in the file: it would grow again at once.
_KEPT_PAGES: Final = 4096
_KEPT_SHARE: Final = 0.25
_NONE: Final = 0


def keep_room_returnable(connection: sqlite3.Connection) -> None:
    """Lets `give_back_pages` shorten this file. At once for one without tables; an older one is written anew for it.

    Nobody else may have the file open. Raises sqlite3.OperationalError where the disk has no room for that.
    """
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _NONE:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")


def refresh_statistics(connection: sqlite3.Connection) -> None:
    """Where the planner's knowledge is stale, from a bounded part of each index (sqlite.org/pragma.html#optimize)."""
    connection.execute("PRAGMA analysis_limit=400")
    connection.execute("PRAGMA optimize")


def checkpoint(connection: sqlite3.Connection) -> None:
    """Takes what the WAL holds into the file beside those who write, so that no commit has to do it for what was
    forgotten: with the file's fsync that takes 0.2 s (sqlite.org/wal.html#checkpointing)."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def give_back_pages(connection: sqlite3.Connection) -> bool:
    """One step, when much of the file is free; whether another one is worth it."""
    free = _free_beyond_need(connection)
    if free <= 0:
        return False
    # As a script, since it takes a step for each page, and `execute` takes the first alone.
    connection.executescript(f"PRAGMA incremental_vacuum({min(free, _STEP_PAGES)})")
    return 0 < _free_beyond_need(connection) < free


def _free_beyond_need(connection: sqlite3.Connection) -> int:
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    return free - max(_KEPT_PAGES, int((pages - free) * _KEPT_SHARE))

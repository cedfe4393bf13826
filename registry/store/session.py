"""Opening the SQLite file as the registry needs it."""

import sqlite3
from pathlib import Path
from typing import Final

FILE_NAME: Final = "registry.db"
_BUSY_S: Final = 5.0


def connect(folder: Path) -> sqlite3.Connection:
    """A connection for one thread at a time; transactions are begun and ended by hand.

    WAL lets readers go on during a commit. `synchronous=FULL` makes a commit wait for the disk: an answered write
    outlives a power cut (NORMAL may lose the last ones in WAL mode; sqlite.org/pragma.html#pragma_synchronous).
    """
    connection = sqlite3.connect(
        folder / FILE_NAME, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-16384")  # KiB, negative by SQLite's convention
    return connection

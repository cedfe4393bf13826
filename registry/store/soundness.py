"""What a store says of itself, for `meshway doctor`: read only, beside a registry that runs.

The statements are written once; each store compiles them for its database.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import exists, func, select

from registry.store.compiled import sql
from registry.store.session import FILE_NAME
from registry.store.tables.revisions import CHANGES, DOCUMENT_HISTORY, DOCUMENTS, HEAD, INSTANCES

if TYPE_CHECKING:
    from pathlib import Path

READ_HEAD: Final = select(HEAD.c.epoch, HEAD.c.revision)
READ_LOG: Final = select(
    func.min(CHANGES.c.revision), func.max(CHANGES.c.revision), func.count(CHANGES.c.revision.distinct())
)
_head = select(HEAD.c.revision).scalar_subquery()
COUNT_BEYOND_HEAD: Final = select(
    select(func.count()).select_from(INSTANCES).where(INSTANCES.c.revision > _head).scalar_subquery()
    + select(func.count()).select_from(DOCUMENTS).where(DOCUMENTS.c.revision > _head).scalar_subquery()
)
COUNT_WITHOUT_HISTORY: Final = (
    select(func.count())
    .select_from(DOCUMENTS)
    .where(
        ~exists(
            select(DOCUMENT_HISTORY.c.revision).where(
                *(DOCUMENT_HISTORY.c[name] == DOCUMENTS.c[name] for name in ("kind", "namespace", "name", "revision"))
            )
        )
    )
)


class Soundness(msgspec.Struct, frozen=True, kw_only=True):
    """Facts, not yet judged.

    store: what it is called. schema None: no tables. broken: what the database finds wrong in its own file.
    revision None: no head. log_*: its first and last revision and how many there are. beyond_head: rows of revisions
    that were never given. without_history: documents whose state the history lacks. free_bytes: on the disk of SQLite.
    is_shrinkable: whether the file gives back what it no longer needs. settings: of PostgreSQL. standbys: that follow
    it now. skew_s: its clock against ours. dead_rows: of 100 in the table that needs a vacuum most.
    """

    store: str
    schema: str | None
    broken: str | None = None
    revision: int | None = None
    log_first: int | None = None
    log_last: int | None = None
    log_count: int = 0
    beyond_head: int = 0
    without_history: int = 0
    free_bytes: int | None = None
    used_bytes: int | None = None
    is_shrinkable: bool = True
    settings: dict[str, str] = {}
    standbys: int = 0
    skew_s: float | None = None
    dead_rows: int = 0


def examine_sqlite(folder: Path) -> Soundness:
    """Raises sqlite3.Error when the file cannot be read at all, FileNotFoundError when there is none."""
    file = folder / FILE_NAME
    size = sum(path.stat().st_size for path in folder.glob(f"{FILE_NAME}*")) if file.stat() else 0
    free = shutil.disk_usage(folder).free
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5.0)) as connection:
        try:
            schema = str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        except (sqlite3.OperationalError, TypeError):
            return Soundness(store=str(file), schema=None, free_bytes=free, used_bytes=size)
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        broken = None if found == ["ok"] else "; ".join(" ".join(line.split()) for line in found)
        connection.execute("BEGIN")  # one look for all that follows
        head = connection.execute(sql(READ_HEAD)).fetchone()
        first, last, count = connection.execute(sql(READ_LOG)).fetchone()
        return Soundness(
            store=str(file),
            schema=schema,
            broken=broken,
            revision=None if head is None else head[1],
            log_first=first,
            log_last=last,
            log_count=count,
            beyond_head=_number(connection, COUNT_BEYOND_HEAD),
            without_history=_number(connection, COUNT_WITHOUT_HISTORY),
            free_bytes=free,
            used_bytes=size,
            is_shrinkable=connection.execute("PRAGMA auto_vacuum").fetchone()[0] != 0,
        )


def _number(connection: sqlite3.Connection, statement: Any) -> int:
    return int(connection.execute(sql(statement)).fetchone()[0] or 0)

"""What a PostgreSQL store says of itself."""

from __future__ import annotations

import time
from typing import Final

import asyncpg

from registry.settings import StartRefused
from registry.store.postgres.address import refuse_bad_url, shown, with_primary
from registry.store.postgres.link import CONNECT_S, said
from registry.store.postgres.statements import Statement
from registry.store.soundness import (
    COUNT_BEYOND_HEAD,
    COUNT_WITHOUT_HISTORY,
    READ_HEAD,
    READ_LOG,
    Soundness,
)

_ANSWER_S: Final = 60.0  # the log is counted
_HEAD: Final = Statement(READ_HEAD)
_LOG: Final = Statement(READ_LOG)
_BEYOND_HEAD: Final = Statement(COUNT_BEYOND_HEAD)
_WITHOUT_HISTORY: Final = Statement(COUNT_WITHOUT_HISTORY)
_SETTINGS: Final = (
    "SELECT name, setting FROM pg_settings WHERE name IN "
    "('fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names', 'autovacuum', 'server_version')"
)
_STANDBYS: Final = "SELECT count(*) FROM pg_stat_replication"
_DEAD_ROWS: Final = (
    "SELECT coalesce(max(100 * n_dead_tup / (n_live_tup + n_dead_tup)), 0) FROM pg_stat_user_tables "
    "WHERE n_live_tup + n_dead_tup > 10000"
)


async def examine_postgres(url: str) -> Soundness:
    """Raises StartRefused with one line, without the password, when it does not answer."""
    refuse_bad_url(url)
    try:
        connection = await asyncpg.connect(with_primary(url), timeout=CONNECT_S, command_timeout=_ANSWER_S)
        try:
            return await _examine(connection, shown(url))
        finally:
            await connection.close(timeout=CONNECT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartRefused(f"{shown(url)} does not answer as a database should: {said(error)}") from error


async def _examine(connection: asyncpg.Connection, store: str) -> Soundness:
    settings = {row["name"]: row["setting"] for row in await connection.fetch(_SETTINGS)}
    asked = time.time()
    theirs = float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    skew_s = theirs - (asked + time.time()) / 2
    try:
        schema = str(await connection.fetchval("SELECT version_num FROM alembic_version"))
    except asyncpg.UndefinedTableError:
        return Soundness(store=store, schema=None, settings=settings, skew_s=skew_s)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        head = await connection.fetchrow(_HEAD.text)
        first, last, count = await connection.fetchrow(_LOG.text)
        return Soundness(
            store=store,
            schema=schema,
            revision=None if head is None else head["revision"],
            log_first=first,
            log_last=last,
            log_count=count,
            beyond_head=int(await connection.fetchval(_BEYOND_HEAD.text) or 0),
            without_history=int(await connection.fetchval(_WITHOUT_HISTORY.text)),
            settings=settings,
            standbys=int(await connection.fetchval(_STANDBYS)),
            skew_s=skew_s,
            dead_rows=int(await connection.fetchval(_DEAD_ROWS)),
        )

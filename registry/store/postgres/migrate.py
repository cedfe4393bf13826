"""Brings PostgreSQL's tables to what this registry knows; of several registries that start at once, one does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from registry.settings import StartRefused
from registry.store.migrate import SCHEMA, refuse_schema, upgrade
from registry.store.postgres.address import refuse_bad_url, shown, with_primary
from registry.store.postgres.link import ANSWER_S, CONNECT_S, said

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Any number, the same in every registry: whoever holds it migrates.
_LOCK: Final = 0x6D65736877617921
_LOCK_WAIT: Final = "SET LOCAL lock_timeout = '60s'"


async def prepare(url: str, *, migrate: bool = True) -> None:
    """Before any other connection. Raises StartRefused with one line, which never holds the password."""
    refuse_bad_url(url)
    try:
        found = await _schema_of(url)
        if found == SCHEMA:
            return
        refuse_schema(f"the database {shown(url)}", found, migrate=migrate)
        await _upgrade(url)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartRefused(f"{shown(url)} does not answer as a database should: {said(error)}") from error


async def _schema_of(url: str) -> str | None:
    connection = await asyncpg.connect(with_primary(url), timeout=CONNECT_S, command_timeout=ANSWER_S)
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close(timeout=CONNECT_S)
    return found


async def _upgrade(url: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    def locked(connection: Connection) -> None:
        connection.execute(text(_LOCK_WAIT))
        # In the migration's own transaction: released with it, whatever becomes of us.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        upgrade(connection)

    async def connect() -> Any:
        return await asyncpg.connect(with_primary(url), timeout=CONNECT_S)

    # The creator says where: asyncpg reads URLs that SQLAlchemy does not (several hosts).
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(locked)
    finally:
        await engine.dispose()

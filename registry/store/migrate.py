"""Brings the database's tables to what this registry knows, or says in one line why it may not."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from registry.settings import StartRefused
from registry.store.room import keep_room_returnable
from registry.store.session import FILE_NAME

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA: Final = "0016"  # the youngest file in migrations/versions; a test holds the two together
_log = logging.getLogger("registry.store.migrate")


def prepare(folder: Path, *, migrate: bool = True) -> None:
    """Called with the folder's lock held, before any connection is opened. Raises StartRefused."""
    found = _schema_of(folder / FILE_NAME)
    if found != SCHEMA:
        refuse_schema(f"the store in {folder}", found, migrate=migrate)
    if migrate:
        _keep_room_returnable(folder / FILE_NAME)
    if found != SCHEMA:
        _upgrade(folder / FILE_NAME)


def refuse_schema(store: str, found: str | None, *, migrate: bool) -> None:
    """Raises StartRefused when the store is younger than this registry, or older and must be left so."""
    if found is not None and found > SCHEMA:
        raise StartRefused(f"{store} has schema {found}, this registry knows {SCHEMA}: install the newer Meshway")
    if not migrate:
        raise StartRefused(
            f"{store} has schema {found or 'none'}, this registry needs {SCHEMA}: run `meshway registry migrate`"
        )


def upgrade(connection: Connection) -> None:
    """All migrations that are missing, within the connection's transaction."""
    # Here, since importing Alembic costs a third of a second and most starts have nothing to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def scripts() -> Path:
    """The migrations: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parents[1]
    for place in (package / "_migrations", package.parent / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise StartRefused("the migrations are missing from this installation: install meshway[server] again")


def _schema_of(file: Path) -> str | None:
    if not file.exists():
        return None
    connection = sqlite3.connect(file, timeout=5.0)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:  # no such table: an empty file
        return None
    except sqlite3.DatabaseError as error:
        raise StartRefused(f"{file} is no registry store: {error}") from error
    finally:
        connection.close()
    return None if row is None else str(row[0])


def _keep_room_returnable(file: Path) -> None:
    """A store works without it, too: `meshway doctor` tells."""
    with closing(sqlite3.connect(file, timeout=5.0, isolation_level=None)) as connection:
        try:
            keep_room_returnable(connection)
        except sqlite3.OperationalError as error:
            _log.warning("%s keeps the room that it no longer needs: %s", file, error)


def _upgrade(file: Path) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()

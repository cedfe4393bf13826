from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from registry.settings import StartRefused
from registry.store import migrate
from registry.store.lock import FolderLock
from registry.store.migrate import SCHEMA, prepare, scripts
from registry.store.session import FILE_NAME
from registry.store.tables.whole import WHOLE


def test_the_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    prepare(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / FILE_NAME}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), WHOLE) == []
    engine.dispose()


def test_the_schema_is_the_youngest_migration() -> None:
    names = sorted(path.name for path in (scripts() / "versions").glob("*.py"))
    assert names[-1].startswith(f"{SCHEMA}_")


def test_a_prepared_folder_is_left_alone_and_costs_no_alembic(tmp_path: Path) -> None:
    prepare(tmp_path)
    code = (
        "import sys; from pathlib import Path; from registry.store.migrate import prepare; "
        "prepare(Path(sys.argv[1])); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=30)


def test_a_newer_schema_refuses_to_start(tmp_path: Path) -> None:
    prepare(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StartRefused, match="has schema 9999, this registry knows") as refused:
        prepare(tmp_path)
    assert "\n" not in str(refused.value)


def test_an_older_schema_is_not_migrated_when_told_not_to(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="meshway registry migrate"):
        prepare(tmp_path, migrate=False)
    prepare(tmp_path)
    prepare(tmp_path, migrate=False)


def test_migrations_are_found_in_a_wheel_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "registry" / "store" / "migrate.py"
    (tmp_path / "registry" / "_migrations").mkdir(parents=True)
    (tmp_path / "registry" / "_migrations" / "env.py").touch()
    monkeypatch.setattr(migrate, "__file__", str(module))
    assert scripts() == tmp_path / "registry" / "_migrations"
    (tmp_path / "registry" / "_migrations" / "env.py").unlink()
    with pytest.raises(StartRefused, match="missing from this installation"):
        scripts()


def test_a_folder_is_locked_once(tmp_path: Path) -> None:
    import os

    lock = FolderLock(tmp_path / "new")
    with pytest.raises(StartRefused, match=f"pid {os.getpid()}"):
        FolderLock(tmp_path / "new")
    lock.release()
    FolderLock(tmp_path / "new").release()

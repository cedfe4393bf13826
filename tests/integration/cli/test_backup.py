"""Backup and restore through the command: files, refusals and exit codes."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.integration.cli.test_documents import SHOP, write
from tests.parts.command import Ended
from tests.parts.planes import Registry

Run = Callable[..., Ended]
TABLES = ("instances", "documents", "document_history", "idempotency_keys")


def rows(data: Path) -> dict[str, set[tuple[object, ...]]]:
    with sqlite3.connect(data / "registry.db") as connection:
        return {table: set(connection.execute(f"SELECT * FROM {table}")) for table in TABLES}


def test_what_was_backed_up_comes_back_from_file_to_store_to_file(
    registry: Registry, run: Run, namespace: str, tmp_path: Path
) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    registry.register("guest", "g-1", 9000, namespace, ttl_s=3600)  # no lease ends while two stores are compared
    taken = run("backup", "mesh.backup", "-o", "json")
    assert taken.code == 0, taken.err
    assert "not encrypted" in taken.err
    file = tmp_path / "mesh.backup"
    assert file.stat().st_mode & 0o777 == 0o600
    revision = json.loads(taken.out)["revision"]

    restored = run("restore", "mesh.backup", "--data", "one")
    assert (restored.code, restored.err.split()[-1]) == (0, str(revision + 1_000_000))
    assert restored.err.startswith("✓ the store in one is as it was at revision ")
    assert rows(tmp_path / "one") == rows(registry.data)
    again = run("backup", "again.backup", "--data", "one")
    assert again.code == 0, again.err
    assert run("restore", "again.backup", "--data", "two", "--ahead", "0").code == 0
    assert rows(tmp_path / "two") == rows(registry.data)

    refused = run("restore", "mesh.backup", "--data", "two")
    assert refused.code == 5
    assert "the store in two is not empty" in refused.err
    assert "--replace" in refused.err
    behind = run("restore", "mesh.backup", "--data", "two", "--replace", "--ahead", "5")
    assert behind.code == 5
    assert f"--ahead {2_000_000}" in behind.err
    assert run("restore", "mesh.backup", "--data", "two", "--replace", "--ahead", "2000000").code == 0


def test_a_file_that_is_encrypted_opens_by_its_key_alone(run: Run, tmp_path: Path) -> None:
    taken = run("backup", "mesh.backup", "--key-file", "backup.key")
    assert taken.code == 0, taken.err
    assert "encrypted by backup.key" in taken.err
    assert (tmp_path / "backup.key").stat().st_mode & 0o777 == 0o600
    refused = run("restore", "mesh.backup", "--data", "one")
    assert (refused.code, "--key-file" in refused.err) == (6, True), refused.err
    (tmp_path / "other.key").write_bytes(b"A" * 43 + b"=\n")
    (tmp_path / "other.key").chmod(0o600)
    assert run("restore", "mesh.backup", "--data", "one", "--key-file", "other.key").code == 6
    assert run("restore", "mesh.backup", "--data", "one", "--key-file", "none.key").code == 6
    assert not (tmp_path / "one").exists()
    restored = run("restore", "mesh.backup", "--data", "one", "--key-file", "backup.key")
    assert restored.code == 0, restored.err
    assert run("restore", "mesh.backup", "--data", "one", "--key-file", "backup.key", "--replace", "--ahead",
               "3000000").code == 0  # fmt: skip


def test_a_restored_registry_serves_what_there_was(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    shown = run("get", "routes", "-A", "-o", "yaml").out
    run("backup", "mesh.backup")
    run("restore", "mesh.backup", "--data", "data")
    served = Registry(tmp_path)
    try:
        assert served.client.get("/v1/health/live").headers["meshway-revision"].startswith("10000")
        assert run("get", "routes", "-A", "-o", "yaml", "--registry", served.url).out == shown
        assert run("apply", "-f", "shop.yaml", "--registry", served.url).out == "unchanged\n"
        in_use = run("restore", "mesh.backup", "--data", str(served.data), "--replace")
        assert (in_use.code, "in use by the registry with pid" in in_use.err) == (5, True)
    finally:
        served.close()


def test_a_failed_backup_keeps_the_one_before(run: Run, tmp_path: Path) -> None:
    assert run("backup", "mesh.backup").code == 0
    before = (tmp_path / "mesh.backup").read_bytes()
    asked = run("backup", "mesh.backup")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    away = run("backup", "mesh.backup", "--yes", "--registry", "127.0.0.1:1")
    assert away.code == 7
    assert run("backup", "mesh.backup", "--yes", "--data", "nowhere").code == 4
    assert (tmp_path / "mesh.backup").read_bytes() == before
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "mesh.backup").write_bytes(before[:-5])
    cut = run("restore", "mesh.backup", "--data", "new")
    assert (cut.code, "mesh.backup is damaged" in cut.err) == (6, True)
    misplaced = run("backup", "nowhere/mesh.backup")
    assert (misplaced.code, misplaced.err.splitlines()) == (
        4,
        ["error: there is no folder nowhere", "mend:  make it: mkdir -p nowhere"],
    )
    assert run("restore", "absent", "--data", "new").code == 4
    assert not (tmp_path / "new").exists()

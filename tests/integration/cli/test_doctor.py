"""What `doctor` finds in stores that are sound, and in stores that were harmed on purpose."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from meshway.cli.doctor import judge
from registry.store.migrate import SCHEMA
from registry.store.soundness import examine_sqlite
from tests.integration.cli.test_documents import SHOP, write
from tests.parts.command import Ended, meshway
from tests.parts.planes import Registry
from tests.parts.postgres import Postgres
from tests.parts.valkey import Valkey

Run = Callable[..., Ended]


def verdicts(ended: Ended) -> dict[str, str]:
    return {finding["id"]: finding["verdict"] for finding in json.loads(ended.out)["checks"]}


def test_a_store_that_is_served_is_sound(registry: Registry, run: Run, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    asked = run("doctor", "--data", str(registry.data), "-o", "json")
    assert asked.code == 0, asked
    found = verdicts(asked)
    assert {"store-schema", "store-consistent", "store-room"} <= found.keys()
    assert "failed" not in found.values()
    assert run("doctor", "--data", "nowhere").code == 1
    assert not (tmp_path / "nowhere").exists()


HARMS = {
    "the change log ends at": "DELETE FROM changes WHERE revision = (SELECT max(revision) FROM changes)",
    "revisions are missing": "DELETE FROM changes WHERE revision = 2",
    "beyond the head": "UPDATE documents SET revision = 99",
    "no history knows": "DELETE FROM document_history",
    "the head is missing": "DELETE FROM head",
    "needs": "UPDATE alembic_version SET version_num = '0001'",
    "install the newer": "UPDATE alembic_version SET version_num = '9999'",
    "has schema none": "DROP TABLE alembic_version",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a stopped registry with four revisions."""
    folder = tmp_path_factory.mktemp("filled")
    registry = Registry(folder)
    registry.apply(SHOP.replace("HOST", "shop.example"))
    for at in range(3):
        registry.register("cart", f"c-{at}", 9000)
    registry.close()
    assert examine_sqlite(registry.data).log_count == 4
    return (registry.data / "registry.db").read_bytes()


@pytest.mark.parametrize("said", HARMS)
def test_what_was_harmed_is_found_and_told_with_its_mend(filled: bytes, tmp_path: Path, said: str) -> None:
    file = tmp_path / "registry.db"
    file.write_bytes(filled)
    with sqlite3.connect(file) as connection:
        connection.execute(HARMS[said])
    connection.close()
    (failed,) = [finding for finding in judge(examine_sqlite(tmp_path), SCHEMA) if finding.verdict == "failed"]
    assert said in failed.text or said in (failed.mend or "")
    assert failed.mend


def test_a_damaged_file_is_found(filled: bytes, tmp_path: Path) -> None:
    harmed = bytearray(filled)
    for at in range(len(harmed) // 2, len(harmed) // 2 + 8192):
        harmed[at] ^= 0xFF
    (tmp_path / "registry.db").write_bytes(harmed)
    asked = meshway("doctor", "--data", str(tmp_path))
    assert asked.code == 1
    assert "meshway restore" in asked.out


def test_postgresql_is_asked_for_what_keeps_answered_writes(postgres: Postgres, valkey: Valkey) -> None:
    url = postgres.new_database()
    assert "failed" in verdicts(meshway("doctor", "--database-url", url, "-o", "json")).values()  # no tables
    meshway("registry", "migrate", "--database-url", url)
    asked = meshway("doctor", "--database-url", url, "--redis-url", valkey.url, "-o", "json")
    found = verdicts(asked)
    assert found["store-durable"] == "failed"  # the test's server runs without fsync
    assert found["store-schema"] == found["store-clock"] == found["live-reachable"] == "passed"
    assert found["store-standby"] == "warning"
    away = meshway(
        "doctor", "--database-url", "postgresql://me:secret@127.0.0.1:1/x", "--redis-url", "redis://127.0.0.1:1"
    )
    assert away.code == 1
    assert "secret" not in away.out
    assert "the live state does not answer" in away.out

"""`registry migrate` on both stores."""

from pathlib import Path

from tests.parts.command import meshway
from tests.parts.postgres import Postgres


def test_an_empty_store_is_brought_to_the_schema_once_and_again(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.new_database()
    for _ in range(2):
        assert meshway("registry", "migrate", "--data", str(tmp_path / "data")).code == 0
        assert meshway("registry", "migrate", "--database-url", url).code == 0
    assert (tmp_path / "data" / "registry.db").exists()
    assert postgres.sql("SELECT count(*) FROM head", url.rpartition("/")[2]) == "0"


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    refused = meshway("registry", "migrate", "--database-url", "postgresql://me:secret@127.0.0.1:1/mesh")
    assert refused.code == 5
    assert refused.err.startswith("error: cannot migrate: postgresql://127.0.0.1:1/mesh does not answer")
    assert "secret" not in refused.err

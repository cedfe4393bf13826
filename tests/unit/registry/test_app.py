"""What a registry says of itself when it starts."""

from pathlib import Path

from registry.app import stores_of
from registry.settings import RegistrySettings


def test_the_stores_are_told_without_their_passwords() -> None:
    alone = RegistrySettings(data_dir=Path("/var/lib/meshway"))
    assert stores_of(alone) == "store SQLite in /var/lib/meshway, leases in memory"
    shared = RegistrySettings(
        data_dir=Path(),
        database_url="postgresql://mesh:hunter2@db:5432/mesh?password=hunter2",
        redis_url="redis://:hunter2@cache:6379/0",
    )
    assert stores_of(shared) == "store postgresql://mesh:***@db:5432/mesh, leases in redis://:***@cache:6379/0"

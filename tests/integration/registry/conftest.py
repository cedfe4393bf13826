"""A registry for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshway.passwords import Cost, nobody
from registry.people import accounts
from tests.parts.registry import RunningRegistry, running_registry


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    async with running_registry(tmp_path) as running:
        yield running


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Still argon2id, at the least it may cost: as people's are hashed, these tests would take a core half a minute."""
    cheap = Cost(64, 1)
    monkeypatch.setattr(accounts, "OF_PEOPLE", cheap)
    monkeypatch.setattr(accounts, "_NOBODY", nobody(cheap))

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from registry.checks.targets import Targets, places_in, targets_of
from registry.settings import RegistrySettings, StartRefused

OWN, OTHER = "127.0.0.1", "10.1.2.3"


async def refusal(targets: Targets, address: str, port: int = 8080) -> str | None:
    return await targets.refusal(ipaddress.ip_address(address), port)


def targets(folder: Path, **settings: object) -> Targets:
    return targets_of(RegistrySettings(data_dir=folder, **settings))  # type: ignore[arg-type]


async def test_private_networks_may_be_asked_and_others_when_they_are_named(tmp_path: Path) -> None:
    usual = targets(tmp_path)
    for address in ("10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.9", "fd00::1", "127.0.0.1", "::ffff:10.0.0.1"):
        assert await refusal(usual, address) is None, address
    for address in ("198.51.100.7", "172.32.0.1", "2001:db8::1", "::ffff:198.51.100.7", "64:ff9b::c633:6407"):
        assert "--allow-registered-cidrs" in str(await refusal(usual, address)), address
    named = targets(tmp_path, allow_registered_cidrs=("198.51.100.0/24",))
    assert await refusal(named, "198.51.100.7") is None
    assert await refusal(named, "10.0.0.1") is not None
    with pytest.raises(StartRefused, match="has host bits set") as refused:
        targets(tmp_path, allow_registered_cidrs=("10.0.0.1/8",))
    assert "\n" not in str(refused.value)


async def test_its_own_ports_are_never_asked_by_whichever_own_address(tmp_path: Path) -> None:
    one = targets(tmp_path)
    one.own_ports.update((8500, 8600))
    for address in (OWN, "127.0.0.9", "::ffff:127.0.0.1"):
        assert "is the registry itself" in str(await refusal(one, address, 8500))
        assert await refusal(one, address, 8501) is None
    assert await refusal(one, OTHER, 8500) is None


async def test_its_stores_are_never_asked(tmp_path: Path) -> None:
    url = f"postgresql://me:secret@localhost,{OTHER}:5433/meshway"
    one = targets(tmp_path, database_url=url, redis_url=f"redis://{OTHER}/0")
    for address, port in ((OWN, 5432), ("127.0.0.2", 5432), (OTHER, 5433), (OTHER, 6379)):
        assert "is a store of the registry" in str(await refusal(one, address, port))
    for address, port in ((OTHER, 5432), (OWN, 5433), ("10.9.9.9", 6379)):
        assert await refusal(one, address, port) is None


def test_places_of_stores_are_read_from_their_urls() -> None:
    assert places_in("postgresql://u:p%40@db1:5433,db2/d") == [("db1", 5433), ("db2", 5432)]
    assert places_in("rediss://:p@[::1]:6380/0") == [("::1", 6380)]
    assert places_in("unix:///run/redis.sock") == places_in("") == []
    assert places_in("postgresql:///d?host=/run/postgresql") == []


async def test_a_store_that_is_not_found_is_nobody(tmp_path: Path) -> None:
    assert await refusal(targets(tmp_path, redis_url="redis://nobody.invalid:6379/0"), OTHER, 6379) is None

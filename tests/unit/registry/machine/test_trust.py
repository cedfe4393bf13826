"""Names and addresses that are this machine."""

import pytest

from registry.machine.trust import Trust, is_loopback_address, is_loopback_name
from tests.parts.heads import head_of


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1"])
def test_loopback_addresses_are_this_machine(address: str) -> None:
    assert is_loopback_address(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "0.0.0.0", "::", "fe80::1", "", "localhost", "1270.0.0.1", "127.evil"])
def test_other_addresses_are_not(address: str) -> None:
    assert not is_loopback_address(address)


@pytest.mark.parametrize("name", [b"localhost", b"127.0.0.1", b"127.1.2.3", b"[::1]", b"registry.localhost"])
def test_loopback_names_are_this_machine(name: bytes) -> None:
    assert is_loopback_name(name)


@pytest.mark.parametrize(
    "name", [b"", b"127.0.0.1.evil.example", b"localhost.evil.example", b"evil-localhost", b"[::2]"]
)
def test_other_names_are_not(name: bytes) -> None:
    assert not is_loopback_name(name)


def test_insecure_lets_other_machines_in_but_never_a_foreign_page() -> None:
    trust = Trust(insecure=True)
    assert trust.judge("10.0.0.9", head_of("Host: registry.example:8500")) is None
    foreign = trust.judge("10.0.0.9", head_of("Host: registry.example:8500", "Origin: http://evil.example"))
    assert foreign is not None
    assert foreign.code == "foreign_origin"
    assert trust.principal("10.0.0.9").name == "anonymous"
    assert trust.principal("127.0.0.1").name == "loopback"

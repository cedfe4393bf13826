"""Where nobody is sent, and what is this machine's alone."""

import ipaddress

import pytest

from meshway.addresses import forbidden, is_loopback


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "169.254.169.254", "169.254.0.1", "fe80::1",
        "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "::ffff:100.100.100.200", "192.0.0.192",
        "::ffff:169.254.169.254", "::ffff:0.0.0.0", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_nobody_is_sent_there(address: str) -> None:
    assert forbidden(ipaddress.ip_address(address), allow_loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_loopback_is_for_a_registry_on_loopback(address: str) -> None:
    assert forbidden(ipaddress.ip_address(address), allow_loopback=True) is None
    assert forbidden(ipaddress.ip_address(address), allow_loopback=False)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.3.4", "fd00::1", "198.51.100.7", "2001:db8::1"])
def test_instances_stand_there(address: str) -> None:
    assert forbidden(ipaddress.ip_address(address), allow_loopback=False) is None


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        ("::", False),
        ("0.0.0.0", False),
        ("books", False),
        ("", False),
    ],
)
def test_loopback_is_the_whole_of_it(host: str, is_ours: bool) -> None:
    assert is_loopback(host) is is_ours

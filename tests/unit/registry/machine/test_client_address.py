import pytest

from meshway.http1.head import HeadLimits, RequestReader
from registry.machine.client_address import ClientAddresses, peer_address

PROXIES = ("10.0.0.0/8", "fd00::/8")


def seen(peer: str, *told: str, proxies: tuple[str, ...] = PROXIES) -> str:
    fields = "".join(f"X-Forwarded-For: {one}\r\n" for one in told)
    head = RequestReader(HeadLimits()).read(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    assert head is not None
    return ClientAddresses(proxies).of(peer, head)


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("10.0.0.1", ("192.0.2.7",), "192.0.2.7"),
        ("10.0.0.1", ("198.51.100.9, 192.0.2.7",), "192.0.2.7"),  # what stands to the left the caller may have written
        ("10.0.0.1", ("127.0.0.1, 192.0.2.7, 10.0.0.2",), "192.0.2.7"),
        ("10.0.0.1", ("198.51.100.9", "192.0.2.7"), "192.0.2.7"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),  # all of them are proxies: the farthest
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.7, what",), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.7, , 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("192.0.2.7:4711",), "192.0.2.7"),
        ("10.0.0.1", ("[2001:db8::1]:80",), "2001:db8::1"),
        ("fd00::1", ("::ffff:192.0.2.7",), "192.0.2.7"),
        ("192.0.2.1", ("198.51.100.9",), "192.0.2.1"),  # no proxy of ours
        ("", ("198.51.100.9",), ""),
    ],
)
def test_the_right_most_address_that_no_proxy_has_is_the_caller(peer: str, told: tuple[str, ...], client: str) -> None:
    assert seen(peer, *told) == client


def test_without_proxies_nobody_is_believed() -> None:
    assert seen("10.0.0.1", "192.0.2.7", proxies=()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("peername", "address"),
    [
        (("127.0.0.1", 4711), "127.0.0.1"),
        (("::ffff:127.0.0.1", 4711, 0, 0), "127.0.0.1"),
        (("fe80::1%eth0", 4711, 0, 2), "fe80::1"),
        (("2002:7f00:1::", 4711, 0, 0), "2002:7f00:1::"),  # no neighbour, though it leads to 127.0.0.1
        (("64:ff9b::7f00:1", 4711, 0, 0), "64:ff9b::7f00:1"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_peer_has_one_address_and_only_a_mapped_one_is_another(peername: object, address: str) -> None:
    assert peer_address(peername) == address

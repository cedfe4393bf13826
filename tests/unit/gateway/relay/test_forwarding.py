from ipaddress import ip_network

import pytest

from gateway.relay.forwarding import Forwarding, is_looping
from meshway.http1.message import RequestHead
from tests.parts.calls import call

INSIDE = (ip_network("10.0.0.0/8"),)


def _head(host: str = "shop.example:8580", **fields: str) -> RequestHead:
    return call(host=host, headers={name.replace("_", "-"): value for name, value in fields.items()}).head


def _fields(block: bytes) -> dict[str, str]:
    lines = [line.partition(": ") for line in block.decode().split("\r\n") if line]
    return {name: value for name, _, value in lines}


def test_an_outsiders_way_is_told_and_his_claims_are_not() -> None:
    client, block = Forwarding("192.0.2.1", b"http", 8580, b"meshway-a").fields(_head(X_Forwarded_For="10.9.9.9"))
    assert client == "192.0.2.1"
    assert _fields(block) == {
        "Via": "1.1 meshway-a",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "shop.example:8580",
        "X-Forwarded-Port": "8580",
        "X-Real-IP": "192.0.2.1",
        "Forwarded": 'for=192.0.2.1;host="shop.example:8580";proto=http',
    }


def test_the_fields_follow_the_authority_of_each_request() -> None:
    forwarding = Forwarding("192.0.2.1", b"http", 8580, b"meshway-a")
    first = forwarding.fields(_head("a.example"))[1]
    assert forwarding.fields(_head("a.example"))[1] is first
    assert b"b.example" in forwarding.fields(_head("b.example"))[1]


def test_an_ipv6_caller_is_quoted_in_forwarded() -> None:
    _, block = Forwarding("2001:db8::7", b"http", 8580, b"meshway-a").fields(_head())
    fields = _fields(block)
    assert fields["Forwarded"].startswith('for="[2001:db8::7]";')
    assert fields["X-Forwarded-For"] == "2001:db8::7"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7, 10.0.0.8", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7, ::ffff:10.0.0.8", "198.51.100.7"),
        ("10.0.0.7, 10.0.0.8", "10.0.0.7"),
        ("203.0.113.9, nonsense, 10.0.0.8", "10.0.0.8"),
        ("2001:db8::7", "2001:db8::7"),
        ("", "10.0.0.1"),
    ],
)
def test_behind_trusted_proxies_the_client_is_the_right_most_untrusted(chain: str, client: str) -> None:
    forwarding = Forwarding("10.0.0.1", b"http", 8580, b"meshway-a", INSIDE)
    found, block = forwarding.fields(_head(X_Forwarded_For=chain) if chain else _head())
    assert found == client
    assert _fields(block)["X-Forwarded-For"] == (f"{chain}, 10.0.0.1" if chain else "10.0.0.1")


def test_a_trusted_proxy_is_known_on_a_socket_for_both_families() -> None:
    assert Forwarding("::ffff:10.0.0.1", b"http", 8580, b"meshway-a", INSIDE).is_trusted
    assert not Forwarding("::ffff:192.0.2.1", b"http", 8580, b"meshway-a", INSIDE).is_trusted
    assert not Forwarding("2002:a00:1::1", b"http", 8580, b"meshway-a", INSIDE).is_trusted


def test_a_trusted_proxys_scheme_is_kept_only_if_it_is_one() -> None:
    forwarding = Forwarding("10.0.0.1", b"http", 8580, b"meshway-a", INSIDE)
    assert _fields(forwarding.fields(_head(X_Forwarded_Proto="https"))[1])["X-Forwarded-Proto"] == "https"
    assert _fields(forwarding.fields(_head(X_Forwarded_Proto="gopher"))[1])["X-Forwarded-Proto"] == "http"


@pytest.mark.parametrize(
    ("via", "is_loop"),
    [
        (["1.1 meshway-a"] * 4, False),
        (["1.1 meshway-a"] * 5, True),
        (["1.1 meshway-ab"] * 9, False),
        (["1.1 meshway-b", "1.1 meshway-a"] * 5, True),
    ],
)
def test_a_loop_is_our_own_name_five_times(via: list[str], is_loop: bool) -> None:
    assert is_looping(_head(Via=", ".join(via)), b"meshway-a") is is_loop

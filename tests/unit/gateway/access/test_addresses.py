"""Networks, searched by halves."""

import math
from ipaddress import ip_address, ip_network
from random import Random

import pytest

from gateway.access.addresses import Addresses
from gateway.exchange import Exchange
from tests.parts.calls import call


def by(peer: str) -> Exchange:
    return call(peer=peer)


def addresses(*networks: str) -> Addresses:
    return Addresses([(network, math.inf) for network in networks], lambda: 0.0)


@pytest.mark.parametrize(
    ("peer", "inside"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("9.255.255.255", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("::ffff:10.1.2.3", True),
        ("fd00::1", True),
        ("fe00::1", False),
        ("fd00::1%eth0", True),
        ("nonsense", False),
        ("", False),
    ],
)
def test_an_address_is_in_one_of_the_networks_or_not(peer: str, inside: bool) -> None:
    holds = addresses("10.0.0.0/8", "192.0.2.7", "fd00::/8", "10.1.0.0/16").compile()
    assert holds(by(peer)) is inside
    assert holds(by(peer)) is inside  # now it is remembered


def test_no_network_holds_nobody() -> None:
    assert not addresses().compile()(by("10.0.0.1"))


@pytest.mark.parametrize("peer", ["nonsense", ""])
def test_what_is_no_address_is_outside_only_where_that_keeps_it_away(peer: str) -> None:
    assert addresses("10.0.0.0/8").compile_outside(unreadable=True)(by(peer))
    assert not addresses("10.0.0.0/8").compile_outside(unreadable=False)(by(peer))


@pytest.mark.parametrize("unreadable", [False, True])
def test_outside_is_who_is_in_no_network(unreadable: bool) -> None:
    outside = addresses("10.0.0.0/8").compile_outside(unreadable=unreadable)
    assert [outside(by(peer)) for peer in ("10.1.2.3", "11.1.2.3", "::ffff:10.1.2.3", "fd00::1")] == [
        False, True, False, True,
    ]  # fmt: skip


def test_an_entry_is_over_at_its_time_also_for_who_was_judged_before() -> None:
    now = 0.0
    holds = Addresses([("10.0.0.1", 5.0), ("10.0.0.2", math.inf)], lambda: now).compile()
    assert [holds(by("10.0.0.1")), holds(by("10.0.0.2"))] == [True, True]
    now = 5.0
    assert [holds(by("10.0.0.1")), holds(by("10.0.0.2"))] == [False, True]


def test_many_networks_say_what_each_of_them_says() -> None:
    seed = Random().randrange(2**32)
    print("seed", seed)
    random = Random(seed)
    networks = [
        ip_network((random.randrange(2**32) & (0xFFFFFFFF << (32 - size)) & 0xFFFFFFFF, size))
        for size in (random.randrange(4, 33) for _ in range(200))
    ]
    holds = addresses(*map(str, networks)).compile()
    near = [int(network.broadcast_address) + step for network in networks for step in (-1, 0, 1)]
    for number in [*near, *(random.randrange(2**32) for _ in range(500))]:
        address = ip_address(number % 2**32)
        assert holds(by(str(address))) is any(address in network for network in networks), address

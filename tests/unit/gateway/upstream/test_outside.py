"""Hosts outside: found by name, judged by address."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from gateway.upstream.outside import RETRY_S, Outside, OutsideHosts, looked_up
from meshway.tasks import spawn

HOST = Outside("api.example", 30.0, ())


class Names:
    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] = addresses
        self.count = 0
        self.now = 0.0
        self.silence: asyncio.Event | None = None
        self.hosts = OutsideHosts(lambda: self.now, self.lookup)

    async def lookup(self, host: str) -> Sequence[str]:
        self.count += 1
        await asyncio.sleep(0)
        if self.silence is not None:
            await self.silence.wait()
        if not self.addresses:
            raise OSError("no answer")
        return self.addresses


async def test_addresses_are_called_in_turn_and_forbidden_ones_passed_over() -> None:
    names = Names("192.0.2.1", "169.254.169.254", "192.0.2.2", "192.0.2.1")
    found = [await names.hosts.address(HOST) for _ in range(4)]
    assert found == ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"]
    assert names.count == 1


async def test_connections_that_open_at_once_ask_once() -> None:
    names = Names("192.0.2.1")
    assert set(await asyncio.gather(*(names.hosts.address(HOST) for _ in range(20)))) == {"192.0.2.1"}
    assert names.count == 1


async def test_without_any_answer_there_is_no_address_and_with_an_old_one_it_is_asked_again_soon() -> None:
    names = Names()
    with pytest.raises(OSError, match=r"api\.example: no answer"):
        await names.hosts.address(HOST)
    names.addresses = ["192.0.2.1"]
    assert await names.hosts.address(HOST) == "192.0.2.1"
    names.addresses, names.now = [], 31.0
    assert await names.hosts.address(HOST) == "192.0.2.1"
    names.addresses, names.now = ["192.0.2.9"], 31.0 + RETRY_S
    assert await names.hosts.address(HOST) == "192.0.2.9"


async def test_a_silent_name_server_is_asked_once_whoever_gives_up_and_the_last_answer_goes_on() -> None:
    """A connection gives up sooner than a lookup, whose thread nobody can call back."""
    names = Names("192.0.2.1")
    assert await names.hosts.address(HOST) == "192.0.2.1"
    names.silence, names.now = asyncio.Event(), 31.0
    first = spawn(names.hosts.address(HOST), name="a connection that gives up")
    await asyncio.sleep(0)
    first.cancel()
    assert [await names.hosts.address(HOST) for _ in range(5)] == ["192.0.2.1"] * 5
    names.now += RETRY_S
    assert await names.hosts.address(HOST) == "192.0.2.1"
    assert names.count == 2
    names.addresses = ["192.0.2.9"]
    names.silence.set()
    async with asyncio.timeout(10.0):
        while await names.hosts.address(HOST) != "192.0.2.9":
            await asyncio.sleep(0)


async def test_all_who_wait_for_a_first_answer_share_one_lookup_though_they_give_up() -> None:
    names = Names("192.0.2.1")
    names.silence = asyncio.Event()
    for _ in range(20):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(names.hosts.address(HOST), 0.001)
    assert names.count == 1
    names.silence.set()
    assert await names.hosts.address(HOST) == "192.0.2.1"
    assert names.count == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.1.1", "224.0.0.1"])
async def test_what_is_forbidden_needs_a_network_that_allows_it(address: str) -> None:
    with pytest.raises(OSError, match="which nobody is sent to"):
        await Names(address).hosts.address(HOST)
    everything = Outside("api.example", 30.0, (ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert ip_address(await Names(address).hosts.address(everything)) == ip_address(address)


async def test_this_machines_resolver_is_asked_for_addresses() -> None:
    assert "127.0.0.1" in await looked_up("127.0.0.1")

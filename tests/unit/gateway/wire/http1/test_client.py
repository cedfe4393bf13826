"""Connections to services: where a name may lead."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.upstream.cluster_settings import OpeningSettings
from gateway.upstream.endpoint import Endpoint
from gateway.wire.http1.client import make_connector
from meshway.model.instance import Instance


class Transport:
    """Open to an address that no test may call."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.written = b""
        self.is_aborted = False

    def get_extra_info(self, name: str) -> Any:
        return (self.peer, 80) if name == "peername" else None

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...

    def is_closing(self) -> bool:
        return self.is_aborted

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True


class Loop:
    """Opens every connection, as a name server would have it."""

    def __init__(self, peer: str, early: Callable[[Any], None] = lambda _: None) -> None:
        """early: what befalls the connection before whoever opens it is told."""
        self.transport, self.early = Transport(peer), early

    def time(self) -> float:
        return 0.0

    async def create_connection(self, make: Callable[[], Any], host: str, port: int) -> tuple[Transport, Any]:
        protocol = make()
        protocol.connection_made(self.transport)
        self.early(protocol)
        return self.transport, protocol


async def connected(address: str, peer: str, early: Callable[[Any], None] = lambda _: None) -> tuple[Transport, str]:
    """Why it failed, "" = it is open."""
    loop, told = Loop(peer, early), asyncio.get_running_loop().create_future()
    instance = Instance(namespace="shop", service="legacy", id="a", address=address, port=80)
    connect = make_connector(cast(asyncio.AbstractEventLoop, loop))
    connect(Endpoint(instance), lambda _: told.set_result(""), told.set_result, OpeningSettings(), b"PROXY")
    return loop.transport, await told


@pytest.mark.parametrize("peer", ["169.254.169.254", "100.100.100.200", "::ffff:169.254.169.254", "fe80::1%eth0"])
async def test_a_name_leads_nowhere_that_an_address_may_not(peer: str) -> None:
    transport, why = await connected("legacy.example", peer)
    assert why.startswith("legacy.example leads to ")
    assert transport.is_aborted
    assert not transport.written


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.7", "192.0.2.1"])
async def test_a_name_leads_to_all_else(peer: str) -> None:
    transport, why = await connected("legacy.example", peer)
    assert (why, transport.is_aborted, transport.written) == ("", False, b"PROXY")


@pytest.mark.parametrize(
    "early",
    [
        lambda protocol: protocol.eof_received(),
        lambda protocol: protocol.connection_lost(ConnectionResetError()),
        lambda protocol: protocol.data_received(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["ended", "reset", "speaks first"],
)
async def test_a_connection_that_is_lost_before_anything_was_asked_was_never_made(
    early: Callable[[Any], None],
) -> None:
    """So that a request which must not be sent twice goes elsewhere: it was not sent once."""
    _, why = await connected("127.0.0.1", "127.0.0.1", early)
    assert why == "the upstream closed the connection before anything was asked"

"""How long a connection to a service may take, lie idle and live, and what is told on it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.integration.gateway.test_decisions import saying, services
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.wire import Caller, ScriptedUpstream

ROUTE = document("Route", "r", edge_route(to("books")))


def connected(**fields: Any) -> Any:
    return document("TrafficPolicy", "p", {"connection": fields})


@contextmanager
def deaf_port() -> Iterator[int]:
    """Whoever connects there hears nothing: what may wait to be accepted does already (Linux drops the others' SYN)."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize(("timeout", "status"), [("30ms", 502), ("60s", 504)])
@pytest.mark.proves("TrafficPolicy.connection", "Connection.connect_timeout")
async def test_a_connection_that_does_not_come_about_is_waited_for_no_longer(timeout: str, status: int) -> None:
    route = document("Route", "r", edge_route(to("books", timeouts={"deadline": "500ms"}, retry={"max_retries": 0})))
    with deaf_port() as port:
        books = running("books", "1", port=port)
        async with compiled_gateway(books, route, connected(connect_timeout=timeout)) as gateway:
            assert (await gateway.ask())[0] == status


def idle(gateway: CompiledGateway) -> list[Any]:
    (endpoint,) = gateway.compiler.tables.clusters["default/books"].endpoints
    return endpoint.idle


async def connections_of_two_calls(policy: Any, between_s: float = 0.0) -> list[int]:
    """Which connections two calls had, one after the other."""
    one = saying("1")
    async with services(one) as books, compiled_gateway(*books, ROUTE, policy) as gateway:
        assert (await gateway.ask())[0] == 200
        if between_s:
            before = list(idle(gateway))
            gateway.leap(between_s)
            await asyncio.sleep(0.05)  # five beats of the gateway
            assert len(before) == 1
        assert (await gateway.ask())[0] == 200
    return [received.connection for received in one.requests]


@pytest.mark.parametrize(("timeout", "connections"), [("10s", [0, 1]), ("60s", [0, 0]), (None, [0, 1])])
@pytest.mark.proves("Connection.idle_timeout")
async def test_a_connection_is_kept_no_longer_than_it_may_lie_idle(timeout: str | None, connections: list[int]) -> None:
    policy = connected(**({"idle_timeout": timeout} if timeout else {}))
    assert await connections_of_two_calls(policy, between_s=20.0) == connections


@pytest.mark.parametrize(("most", "connections"), [(1, [0, 1]), (2, [0, 0]), (0, [0, 0]), (None, [0, 0])])
@pytest.mark.proves("Connection.max_requests")
async def test_a_connection_serves_no_more_calls_than_it_may(most: int | None, connections: list[int]) -> None:
    assert await connections_of_two_calls(connected(**({} if most is None else {"max_requests": most}))) == connections


UPGRADE = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    while data := await reader.read(100):
        writer.write(data)


@pytest.mark.parametrize(("idle_timeout", "is_cut"), [("10s", True), ("60s", False), ("0s", False), (None, False)])
@pytest.mark.proves("Timeouts.upgraded_idle")
async def test_an_upgraded_connection_may_be_silent_for_its_own_time(idle_timeout: str | None, is_cut: bool) -> None:
    times = {"upgraded_idle": idle_timeout} if idle_timeout else {}
    route = document("Route", "r", edge_route(to("books", timeouts=times)))
    upstream = ScriptedUpstream(echo)
    async with upstream.running(), compiled_gateway(running("books", "1", port=upstream.port), route) as gateway:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(UPGRADE)
        assert b"101 Switching" in await caller.head()
        caller.send(b"hello")
        assert await caller.exactly(5) == b"hello"
        gateway.leap(20.0)
        if is_cut:
            assert await caller.rest() == b""
        else:
            await asyncio.sleep(0.05)  # five beats of the gateway
            caller.send(b"again")
            assert await caller.exactly(5) == b"again"
        caller.writer.close()

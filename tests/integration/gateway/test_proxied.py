"""The PROXY protocol on a listener: whom a trusted proxy tells of, and who is not let in."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.relay.deadline import TICK_S
from gateway.wire.proxy_protocol import proxy_head
from tests.integration.gateway.test_connections import telling as connected_service
from tests.integration.gateway.test_connections import told_of
from tests.integration.gateway.test_decisions import saying
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.http2_caller import Http2Caller
from tests.parts.upstream import RecordingUpstream
from tests.parts.wire import Caller

GET = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
CALLER, CALLED = ("192.0.2.7", 4711), ("198.51.100.1", 80)
HEADS = [proxy_head(version, CALLER, CALLED) for version in (1, 2)]


def listener(how: str, trusted: str = "127.0.0.0/8", **more: Any) -> Any:
    return document("Listener", "edge", {"proxy_protocol": how, "trusted_proxies": [trusted]} | more, "mesh")


@asynccontextmanager
async def telling() -> AsyncIterator[tuple[CompiledGateway, RecordingUpstream]]:
    books = saying("books")
    async with books.running():
        route = document("Route", "r", edge_route(to("books")))
        async with compiled_gateway(running("books", "1", port=books.port), route) as gateway:
            yield gateway, books


async def opened(gateway: CompiledGateway) -> Caller:
    return Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))


async def status(gateway: CompiledGateway, *pieces: bytes) -> int:
    """0: the connection was reset, with no answer."""
    caller = await opened(gateway)
    try:
        for piece in pieces:
            caller.send(piece)
            await caller.writer.drain()
            await asyncio.sleep(0)
        answered, _, _ = await asyncio.wait_for(caller.answer(), 10.0)
    except (ConnectionError, asyncio.IncompleteReadError, EOFError):
        return 0
    finally:
        caller.writer.close()
    return answered


@pytest.mark.proves("Listener.proxy_protocol")
@pytest.mark.parametrize("head", HEADS, ids=["v1", "v2"])
async def test_a_trusted_proxy_tells_for_whom_the_connection_is(head: bytes) -> None:
    async with telling() as (gateway, books):
        for how in ("accept", "require"):
            gateway.apply(listener(how))
            assert await status(gateway, head + GET) == 200
            sent = books.requests[-1]
            assert sent.values(b"x-real-ip") == [b"192.0.2.7"]
            assert sent.values(b"x-forwarded-port") == [b"80"]
            assert await status(gateway, *(head[at : at + 1] for at in range(len(head))), GET) == 200, "in small pieces"
            denied = {"targets": [{"route": "r"}], "rules": [{"action": "deny", "from": [{"cidr": ["192.0.2.0/24"]}]}]}
            gateway.apply(document("AccessPolicy", "away", denied))
            assert await status(gateway, head + GET) == 403, "policies know him by that address"
            assert await status(gateway, proxy_head(1, ("192.0.3.1", 1), CALLED) + GET) == 200
            gateway.apply(gone("AccessPolicy", "away"))
        gateway.apply(listener("off"))
        assert await status(gateway, head + GET) == 400, "it is no request"


async def test_who_must_tell_and_does_not_is_reset() -> None:
    async with telling() as (gateway, books):
        gateway.apply(listener("require"))
        assert await status(gateway, GET) == 0
        gateway.apply(listener("accept"))
        assert await status(gateway, GET) == 200
        assert books.requests[-1].values(b"x-real-ip") == [b"127.0.0.1"]
        for how in ("accept", "require"):
            gateway.apply(listener(how))
            assert await status(gateway, b"PROXY TCP4 192.0.2.7 198.51.100.1 1 70000\r\n" + GET) == 0, "half a head"
            assert await status(gateway, proxy_head(2, None, None) + GET) == 200, "the proxy's own check"
            assert books.requests[-1].values(b"x-real-ip") == [b"127.0.0.1"]


async def test_nobody_but_a_trusted_proxy_is_believed() -> None:
    async with telling() as (gateway, books):
        gateway.apply(listener("accept", trusted="10.0.0.0/8"))
        count = len(books.requests)
        assert await status(gateway, HEADS[0] + GET) == 400, "his head is no request"
        assert await status(gateway, GET) == 200
        assert books.requests[count].values(b"x-real-ip") == [b"127.0.0.1"]
        gateway.apply(listener("require", trusted="10.0.0.0/8"))
        assert await status(gateway, HEADS[0] + GET) == 0
        assert await status(gateway, GET) == 0
        assert len(books.requests) == count + 1


async def test_a_head_that_does_not_come_ends_the_connection() -> None:
    async with telling() as (gateway, _):
        gateway.apply(listener("accept"))
        caller = await opened(gateway)
        caller.send(HEADS[1][:20])
        await asyncio.sleep(2 * TICK_S)
        gateway.leap(11.0)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, EOFError)):
            await asyncio.wait_for(caller.answer(), 10.0)
        assert await status(gateway, HEADS[1] + GET) == 200


async def test_a_service_hears_of_the_same_caller() -> None:
    async with connected_service(proxy_protocol="v1") as (gateway, _, _):
        gateway.apply(listener("require"))
        caller = await opened(gateway)
        caller.send(HEADS[1])
        assert await told_of(caller) == HEADS[0]
        caller.writer.close()


async def test_http_2_may_follow_the_head() -> None:
    async with telling() as (gateway, books):
        gateway.apply(listener("require"))
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(HEADS[0])
        caller = Http2Caller(reader, writer)
        assert (await caller.answer(caller.get(b"/"))).status == 200
        assert books.requests[-1].values(b"x-real-ip") == [b"192.0.2.7"]
        caller.close()


async def test_connections_are_counted_by_the_address_that_was_told() -> None:
    async with telling() as (gateway, _):
        gateway.apply(listener("require", limits={"connections_per_address": 1}))
        first = await opened(gateway)
        first.send(HEADS[0] + GET)
        assert (await first.answer())[0] == 200
        assert await status(gateway, HEADS[1] + GET) == 0
        assert await status(gateway, proxy_head(1, ("192.0.3.1", 1), CALLED) + GET) == 200
        first.writer.close()
        async with asyncio.timeout(10.0):
            while await status(gateway, HEADS[1] + GET) != 200:
                await asyncio.sleep(TICK_S)


async def test_who_is_not_let_in_before_a_handshake_is_logged_by_its_own_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with telling() as (gateway, _):
        for trusted, said in (("10.0.0.0/8", "no trusted proxy"), ("127.0.0.0/8", "PROXY protocol: ")):
            changed = {"proxy_protocol": "require", "trusted_proxies": [trusted]}
            gateway.apply(document("Listener", "edge-tls", changed, "mesh"))
            caplog.clear()
            with caplog.at_level(logging.INFO, "meshway.tls"):
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.tls_port)
                writer.write(b"\x16\x03\x01\x02\x00hello")
                assert await asyncio.wait_for(reader.read(), 10.0) == b""
                writer.close()
            (line,) = [record.getMessage() for record in caplog.records if record.name == "meshway.tls"]
            assert "PROXY protocol: " in line
            assert said in line
            assert "not done in time" not in line

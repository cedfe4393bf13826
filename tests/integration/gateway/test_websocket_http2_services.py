"""WebSocket to services that are called by HTTP/2: by extended CONNECT, where their settings say that they take it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.exchange import EDGE
from tests.integration.gateway.test_websocket import CLOSE, MASK, TEXT, Frames, calling, echoing, raw, websocket
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.http2_caller import calling as calling_http2
from tests.parts.http2_service import Http2Service
from tests.parts.websocket import frame, read_frame
from tests.parts.websocket_callers import opened

BY_HTTP2 = document("TrafficPolicy", "p", {"targets": [{"service": "chat"}], "connection": {"http": "http2"}})
PLAIN = document("Route", "r", edge_route(to("chat")))


@asynccontextmanager
async def before(port: int, *changes: Any, face: int = EDGE) -> AsyncIterator[CompiledGateway]:
    """Another gateway, whose service is the one at this port, called by HTTP/2."""
    async with compiled_gateway(running("chat", "1", port=port), BY_HTTP2, *changes, face=face) as gateway:
        yield gateway


@pytest.mark.parametrize("near", [websocket(), PLAIN])
async def test_messages_pass_by_one_connection_that_many_share(near: Any) -> None:
    async with echoing(PLAIN) as far, before(far.port, near) as gateway:

        async def talk(number: int) -> None:
            async with calling(gateway) as connection:
                for size in (1, 126, 100_000):
                    await connection.send(b"%d" % number * size)
                    assert await connection.recv() == b"%d" % number * size
                await connection.close(4000 + number)

        await asyncio.gather(*(talk(number) for number in range(5)))
        await until(lambda: len(far.lines) == 5)
        assert {line["protocol"] for line in far.lines} == {"HTTP/2"}
        assert {line["status"] for line in (*far.lines, *gateway.lines)} == {101}


async def test_a_caller_of_http2_and_a_service_of_http2() -> None:
    async with echoing(PLAIN) as far, before(far.port, websocket()) as gateway, calling_http2(gateway.port) as caller:
        stream, answer = await opened(caller)
        await caller.send(stream, frame(TEXT, b"hello", key=MASK))
        await caller.until(lambda: bytes(answer.body) == frame(TEXT, b"hello"))
        await caller.send(stream, frame(CLOSE, b"\x03\xe8", key=MASK))
        await caller.until(lambda: answer.is_whole)
        assert bytes(answer.body) == frame(TEXT, b"hello") + frame(CLOSE, b"\x03\xe8")


async def test_a_close_frame_of_ours_still_reaches_the_service() -> None:
    frames = Frames()
    async with frames.behind(PLAIN) as far, before(far.port, websocket()) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        assert gateway.listener is not None
        assert gateway.listener.say_goodbye()
        assert await read_frame(reader) == (0x88, (1001).to_bytes(2, "big"))
        await until(lambda: frames.heard == [(0x88, (1001).to_bytes(2, "big"))])
        await until(lambda: far.lines)


async def test_a_service_that_does_not_take_it_is_not_asked() -> None:
    service = Http2Service(lambda connection, stream, _: connection.answer(stream))
    async with service.running(), before(service.port, PLAIN) as gateway:
        async with raw(gateway) as (caller, _):
            status, head, body = await caller.answer()
        assert (status, "RFC 8441" in body.decode()) == (502, True)
        assert b"meshway-reason: upgrade_unsupported\r\n" in head
        assert (await gateway.ask())[0] == 200  # for other calls it is as good as ever
        assert len(service.requests) == 1


async def test_a_refusal_by_http2_is_the_callers_answer() -> None:
    async with Frames().behind(websocket(allow=False)) as far, before(far.port, PLAIN) as gateway:
        async with raw(gateway) as (caller, _):
            status, head, _ = await caller.answer()
        assert status == 403
        assert b"websocket_denied" in head or gateway.lines

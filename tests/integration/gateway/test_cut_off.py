"""What runs when the gateway ends a caller's connection: the access log names the gateway, and not the caller."""

import asyncio

from gateway.exchange import MESH
from tests.integration.gateway.test_connect import database
from tests.integration.gateway.test_connect_http2 import asking, connected
from tests.parts.changes import running
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.http2_caller import calling
from tests.parts.tcp import echo, serving
from tests.parts.websocket_callers import by_http3


def end_drain(gateway: CompiledGateway) -> None:
    assert gateway.listener is not None
    gateway.listener.start_drain()
    gateway.listener.abort_all()


async def told(gateway: CompiledGateway, count: int) -> set[tuple[str, str, str]]:
    await until(lambda: len(gateway.lines) == count, what="their lines")
    return {(line["reason"], line["flag"], line["detail"]) for line in gateway.lines}


DRAINED = {("drained", "", "the gateway has no more time for it")}


async def test_connections_of_bytes_that_are_left_at_the_end_of_a_drain_are_told_as_drained() -> None:
    async with (
        serving(echo(b"ready ")) as port,
        database(port) as gateway,
        calling(gateway.port) as caller,
        by_http3(gateway) as (third, beside),
    ):
        assert gateway.listener is not None
        beside.connecting = gateway.listener.connecting
        stream, _ = await connected(caller)
        await caller.send(stream, b"hello")
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n")
        await reader.readuntil(b"ready ")
        over_quic = third.answers[third.begin(asking(), ended=False)]
        await third.until(lambda: over_quic.status == 200)
        end_drain(gateway)
        beside.start_drain()
        beside.abort_all()
        assert await told(gateway, 3) == DRAINED
        writer.close()


async def test_calls_that_are_left_at_the_end_of_a_drain_are_told_as_drained() -> None:
    asked = asyncio.Semaphore(0)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.release()
        await reader.read()

    async with (
        serving(hold) as port,
        compiled_gateway(running("books", "1", port=port), face=MESH) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.get(b"/", authority=b"books")
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: books\r\n\r\n")
        async with asyncio.timeout(10.0):
            for _ in range(2):
                await asked.acquire()
        end_drain(gateway)
        assert await told(gateway, 2) == DRAINED
        assert not caller.answers[stream].is_whole
        writer.close()

"""Many messages, and callers who mean harm: what they may hold up is their own."""

import asyncio

import pytest

from gateway.wire.http1.server import ServerProtocol
from tests.integration.gateway.test_websocket import MASK, PING, TEXT, calling, echoing, raw, websocket
from tests.parts.changes import running
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.websocket import accepted, frame, read_frame
from tests.parts.wire import ScriptedUpstream, read_head

MIB = 1 << 20


async def talk(gateway: CompiledGateway, messages: int) -> None:
    async with calling(gateway, compression=None, max_queue=None) as connection:

        async def send() -> None:
            for number in range(messages):
                await connection.send(b"%d" % number)

        sending = asyncio.ensure_future(send())  # noqa: TID251
        for number in range(messages):
            assert await connection.recv() == b"%d" % number
        await sending


@pytest.mark.parametrize("messages", [4_000, pytest.param(200_000, marks=pytest.mark.soak)])
async def test_no_message_is_lost_doubled_or_moved(messages: int) -> None:
    async with echoing(websocket(), compression=None, ping_interval=None) as gateway:
        await asyncio.gather(*(talk(gateway, messages // 8) for _ in range(8)))
        await until(lambda: len(gateway.lines) == 8)
        assert {line["close_code"] for line in gateway.lines} == {1000}
        assert sum(line["messages_in"] for line in gateway.lines) == messages
        assert sum(line["messages_out"] for line in gateway.lines) == messages


async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As much comes back as went there."""
    writer.write(accepted(await read_head(reader)))
    while data := await reader.read(65_536):
        writer.write(frame(2, data))
        await writer.drain()


@pytest.mark.parametrize("flood", [frame(PING, b"x" * 125, key=MASK), frame(2, b"x" * 60_000, key=MASK)])
async def test_a_flood_of_one_who_reads_nothing_is_held_back(flood: bytes) -> None:
    """Of pings as of messages: each is answered, so both ways fill, and then nothing more is taken."""
    async with (
        ScriptedUpstream(mirror).running() as upstream,
        compiled_gateway(running("chat", "1", port=upstream.port), websocket()) as gateway,
        raw(gateway) as (caller, _),
        raw(gateway) as (honest, its_reader),
    ):
        await caller.head()
        await honest.head()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        piece = flood * (65_536 // len(flood) + 1)
        sent = 0
        while sent < 64 * MIB and caller.writer.transport.get_write_buffer_size() < MIB:
            caller.writer.write(piece)
            sent += len(piece)
            await asyncio.sleep(0)
        assert sent < 48 * MIB  # what the kernel's buffers of four connections take, and ours
        assert gateway.listener is not None
        for connection in gateway.listener.connections:
            assert isinstance(connection, ServerProtocol)
            assert connection._transport.get_write_buffer_size() < MIB
        honest.send(frame(TEXT, b"hello", key=MASK))
        assert await read_frame(its_reader) == (0x82, frame(TEXT, b"hello", key=MASK))

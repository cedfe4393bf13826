"""Conversations under a reload: the old worker keeps them until its drain time is over, and says so then."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import serve

from tests.integration.gateway.test_websocket import CLOSE, GOING_AWAY, MASK, TEXT, echo
from tests.parts.changes import document, running, to
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess, is_alive
from tests.parts.memory import resident_bytes
from tests.parts.websocket import frame, handshake, read_frame

HELLO = frame(TEXT, b"hello", key=MASK)
Conversation = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def begin(port: int) -> Conversation:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(handshake(host="chat.default.mesh"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def talk(conversations: list[Conversation]) -> None:
    for _, writer in conversations:
        writer.write(HELLO)
    for reader, _ in conversations:
        assert await read_frame(reader) == (0x81, b"hello")


@asynccontextmanager
async def conversing(
    folder: Path, count: int, drain_s: float
) -> AsyncIterator[tuple[GatewayProcess, list[Conversation]]]:
    conversations: list[Conversation] = []
    async with Feed() as feed, serve(echo, "127.0.0.1", 0, ping_interval=None, compression=None) as service:
        route = {"listeners": ["mesh"], "hosts": ["chat"], "rules": [to("chat", websocket={})]}
        feed.commit(running("chat", "1", port=service.sockets[0].getsockname()[1]), document("Route", "chat", route))
        async with GatewayProcess(folder, feed.url, workers=1, worker={"drain_s": drain_s}) as gateway:
            conversations += [await begin(gateway.settings["mesh_port"]) for _ in range(count)]
            try:
                yield gateway, conversations
            finally:
                for _, writer in conversations:
                    writer.close()


async def test_a_reload_drops_no_websocket_before_its_drain_time_is_over_and_tells_each_then(tmp_path: Path) -> None:
    async with conversing(tmp_path, 500, 6.0) as (gateway, conversations):
        await talk(conversations)
        await gateway.wait_for_count("meshway_upgraded_connections", 500)
        before = set(await gateway.worker_pids())
        gateway.send(signal.SIGHUP)
        await gateway.wait_for_workers(but=before, count=1, within_s=20.0)
        await talk(conversations)  # by the old one
        assert all(is_alive(pid) for pid in before)
        fresh = await begin(gateway.settings["mesh_port"])
        for reader, _ in conversations:
            assert await read_frame(reader) == (0x80 | CLOSE, GOING_AWAY)
            assert await reader.read() == b""
        await talk([fresh])
        fresh[1].close()


async def test_at_the_end_every_websocket_is_told(tmp_path: Path) -> None:
    async with conversing(tmp_path, 20, 0.5) as (gateway, conversations):
        await talk(conversations)
        ending = asyncio.ensure_future(gateway.stop())  # noqa: TID251
        for reader, _ in conversations:
            assert await read_frame(reader) == (0x80 | CLOSE, GOING_AWAY)
        assert await ending == 0


@pytest.mark.soak
async def test_five_thousand_silent_ones_cost_little_and_all_still_speak(tmp_path: Path) -> None:
    async with conversing(tmp_path, 100, 1.0) as (gateway, conversations):
        await talk(conversations)
        (pid,) = await gateway.worker_pids()
        before = resident_bytes(pid)
        conversations += [await begin(gateway.settings["mesh_port"]) for _ in range(5_000)]
        each = (resident_bytes(pid) - before) / 5_000
        print(f"{each / 1024:.1f} KB a conversation")
        assert each < 16 * 1024
        await talk(conversations)

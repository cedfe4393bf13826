"""Bodies are streamed, never collected: a slow reader costs its two watermarks, whatever the body's size."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.parts.conditions import wait_until
from tests.parts.instances import EchoInstance
from tests.parts.mesh import Mesh

MIB = 1 << 20
AT_ONCE = 32


def worker_rss(mesh: Mesh) -> int:
    """Resident bytes of the gateway's one worker."""
    pid = mesh.pid("gateway")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1, children
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{children[0]}/status").read_text())[1]) * 1024  # type: ignore[index]


async def connect(mesh: Mesh, limit: int = 65536) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(mesh.mesh.rpartition(":")[2]), limit=limit)


async def sip_a_download(mesh: Mesh, size: int, hold: asyncio.Event) -> None:
    """Asks for `size` bytes and reads 16 KiB now and then until told to go."""
    reader, writer = await connect(mesh, limit=16384)
    writer.write(f"GET /bytes/{size} HTTP/1.1\r\nHost: echo.default.mesh\r\n\r\n".encode())
    left = size
    while left > 0 and not hold.is_set():
        left -= len(await reader.read(16384))
        await asyncio.sleep(0.1)
    writer.transport.abort()


async def push_an_upload(mesh: Mesh, size: int, hold: asyncio.Event) -> None:
    """Sends `size` bytes to a service that reads slowly, as fast as the gateway takes them."""
    reader, writer = await connect(mesh)
    writer.write(f"POST /sip/ HTTP/1.1\r\nHost: echo.default.mesh\r\nContent-Length: {size}\r\n\r\n".encode())
    sent = 0
    try:
        while sent < size and not hold.is_set():
            writer.write(b"x" * min(65536, size - sent))
            sent += 65536
            async with asyncio.timeout(30):
                while writer.transport.get_write_buffer_size() > 65536 and not hold.is_set():
                    await asyncio.sleep(0.02)
        await hold.wait()
    finally:
        writer.transport.abort()
        del reader


@pytest.fixture
def mesh(start_mesh: Callable[..., Mesh], start_echo: Callable[..., EchoInstance]) -> Mesh:
    mesh = start_mesh(1)
    mesh.register("echo", "a", start_echo("a").port)
    assert mesh.call("echo").text == "a"
    return mesh


@pytest.mark.parametrize("size", [65536, 100 * MIB])
@pytest.mark.parametrize("stream", [sip_a_download, push_an_upload])
def test_a_slow_reader_costs_at_most_two_mebibytes(
    mesh: Mesh, stream: Callable[..., Awaitable[None]], size: int
) -> None:
    before = worker_rss(mesh)
    peak = before

    async def run() -> None:
        nonlocal peak
        hold = asyncio.Event()
        streams = asyncio.gather(*(stream(mesh, size, hold) for _ in range(AT_ONCE)))
        for _ in range(40):
            await asyncio.sleep(0.1)
            peak = max(peak, worker_rss(mesh))
        hold.set()
        await streams

    asyncio.run(run())
    assert peak - before <= AT_ONCE * 2 * MIB
    wait_until(lambda: worker_rss(mesh) - before <= 8 * MIB, 10, what="memory falls back")


def test_an_idle_connection_costs_at_most_thirty_kibibytes(mesh: Mesh) -> None:
    async def run() -> int:
        streams = [await connect(mesh) for _ in range(100)]  # what the worker makes once is not counted
        for reader, writer in streams:
            writer.write(b"GET / HTTP/1.1\r\nHost: echo.default.mesh\r\n\r\n")
            await reader.readuntil(b"\r\n\r\na")
        before = worker_rss(mesh)
        for _ in range(1000):
            reader, writer = await connect(mesh)
            writer.write(b"GET / HTTP/1.1\r\nHost: echo.default.mesh\r\n\r\n")
            await reader.readuntil(b"\r\n\r\na")
            streams.append((reader, writer))
        grown = worker_rss(mesh) - before
        for _, writer in streams:
            writer.close()
        return grown

    assert asyncio.run(run()) <= 1000 * 30 * 1024

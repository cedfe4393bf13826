"""Bodies are streamed, never collected: a slow reader costs its two watermarks, whatever the body's size."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.parts.conditions import NeverTrueError, wait_until
from tests.parts.instances import EchoInstance
from tests.parts.memory import resident_bytes
from tests.parts.mesh import Mesh

MIB = 1 << 20
AT_ONCE = 32
BACK = 4 * MIB


def worker_rss(mesh: Mesh) -> int:
    """Resident bytes of the gateway's one worker."""
    pid = mesh.pid("gateway")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1, children
    return resident_bytes(int(children[0]))


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
    async def run(seconds: float) -> int:
        """The most that was resident meanwhile."""
        hold, peak = asyncio.Event(), 0
        streams = asyncio.gather(*(stream(mesh, size, hold) for _ in range(AT_ONCE)))
        for _ in range(round(seconds / 0.1)):
            await asyncio.sleep(0.1)
            peak = max(peak, worker_rss(mesh))
        hold.set()
        await streams
        return peak

    before = worker_rss(mesh)
    assert asyncio.run(run(2.0)) - before <= AT_ONCE * 2 * MIB
    # The allocator keeps what the first streams left in pieces, less with each round; it must serve the next ones.
    asyncio.run(run(2.0))
    before = worker_rss(mesh)
    assert asyncio.run(run(4.0)) - before <= AT_ONCE * 2 * MIB
    kept = [0]

    def is_back() -> bool:
        kept[0] = worker_rss(mesh) - before
        return kept[0] <= BACK

    with suppress(NeverTrueError):
        wait_until(is_back, 10)
    assert kept[0] <= BACK


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

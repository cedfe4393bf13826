"""What bytes that only pass cost a worker in memory had from the system."""

import asyncio
from pathlib import Path

from tests.parts.changes import document, running
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.ports import free_port, is_taken

MEGABYTES = 256


async def test_a_bulk_of_bytes_passes_in_memory_that_a_worker_has_already(tmp_path: Path) -> None:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        for _ in range(MEGABYTES):
            writer.write(bytes(1 << 20))
            await writer.drain()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(send, "127.0.0.1", 0) as server, Feed() as feed:
        feed.commit(
            running("bulk", "1", port=server.sockets[0].getsockname()[1]),
            document("Listener", "bulk", {"port": port, "protocol": "tcp"}, "mesh"),
            document("TcpRoute", "bulk", {"listeners": ["bulk"], "destinations": [{"service": "bulk"}]}),
        )
        async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
            await until(lambda: is_taken(port), 15.0, what="an open listener")
            (worker,) = await gateway.worker_pids()
            await _take(port)
            before = _page_faults(worker)
            await _take(port)
            faults = _page_faults(worker) - before
            # A page is 4 KiB: had anew for every read they are 65,536 at most, and were 5,600 at least.
            assert faults < MEGABYTES * 10, f"{faults} pages were had from the system"


async def _take(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(b"x")
    async with asyncio.timeout(30.0):
        size = 0
        while data := await reader.read(1 << 20):
            size += len(data)
    assert size == MEGABYTES << 20
    writer.close()


def _page_faults(pid: int) -> int:
    """proc(5), the 10th field of stat: those that needed no disk."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[7])

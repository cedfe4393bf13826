"""Bounds of connections and sessions are the gateway's: of all its workers, and of two that change places."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.parts.changes import document, running
from tests.parts.conditions import until
from tests.parts.datagrams import DatagramService, Sources, named
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.ports import free_port
from tests.parts.tcp import echo, serving

MOST, TRIED = 5, 24


class Held:
    """Connections that stay open, of one address each."""

    def __init__(self, port: int, stack: AsyncExitStack) -> None:
        self._port, self._stack = port, stack
        self.writers: list[asyncio.StreamWriter] = []

    async def more(self, count: int, address: str) -> int:
        """How many of so many that try are let in."""
        before = len(self.writers)
        for _ in range(count):
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
                self._stack.callback(writer.close)
                await asyncio.wait_for(reader.readexactly(5), 10.0)
            except ConnectionResetError:
                continue
            self.writers.append(writer)
        return len(self.writers) - before


@asynccontextmanager
async def gateway_of_two_workers(folder: Path) -> AsyncIterator[tuple[GatewayProcess, int, int]]:
    """And the ports of its listeners of TCP and UDP."""
    tcp, udp = free_port(), free_port()
    world = DatagramService(named(b"world"))
    async with serving(echo(b"ready")) as port, Feed() as feed:
        limits = {"connections": MOST + 2, "per_source": MOST}
        session = {"listeners": ["game"], "destinations": [{"service": "world"}], "per_source": MOST}
        feed.commit(
            running("db", "1", port=port),
            running("world", "1", port=world.port),
            document("Listener", "db", {"port": tcp, "protocol": "tcp"}, "mesh"),
            document("Listener", "game", {"port": udp, "protocol": "udp"}, "mesh"),
            document("TcpRoute", "db", {"listeners": ["db"], "destinations": [{"service": "db"}], "limits": limits}),
            document("UdpRoute", "game", session),
        )
        async with GatewayProcess(folder, feed.url, workers=2, worker={"drain_s": 20.0}) as gateway:
            await until(lambda: all(f"Listener mesh/{name}" in gateway.text() for name in ("db", "game")))
            yield gateway, tcp, udp
    world.close()


async def test_one_address_has_its_share_once_whatever_worker_it_comes_to(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        gateway, tcp, udp = await stack.enter_async_context(gateway_of_two_workers(tmp_path))
        held = Held(tcp, stack)
        assert await held.more(TRIED, "127.0.0.1") == MOST
        assert await held.more(TRIED, "127.0.0.2") == 2, "the bound of all is the gateway's as well"
        sources = stack.enter_context(Sources(("127.0.0.1", udp)))
        players = [sources.one() for _ in range(TRIED)]
        for player in players:
            player.send(b"x")
        await gateway.wait_for_count("meshway_udp_datagrams_dropped_total", TRIED - MOST)
        assert await gateway.metric("meshway_udp_sessions") == MOST
        assert await sources.one("127.0.0.2").ask(b"x") == b"world x"

        # The one that takes over counts what the other one's workers carry to their end.
        before = await gateway.take_over()
        assert await held.more(TRIED, "127.0.0.1") == 0
        held.writers.pop().close()  # of the other address
        held.writers.pop(0).close()
        await until(lambda: _ended(gateway) == 2, what="two that have ended")
        assert await held.more(TRIED, "127.0.0.1") == 1
        for writer in held.writers:
            writer.close()
        assert await asyncio.to_thread(before.popen.wait, 40) == 0
        assert await held.more(TRIED, "127.0.0.1") == MOST


def _ended(gateway: GatewayProcess) -> int:
    return sum(line["protocol"] == "TCP" and line["reason"] == "" for line in gateway.access_log())

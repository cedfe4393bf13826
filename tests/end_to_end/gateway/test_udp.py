"""Datagrams through a real gateway of two workers, while it is reloaded and its workers are killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.changes import document, running
from tests.parts.conditions import until, until_told
from tests.parts.datagrams import DatagramService, Source, Sources, named
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.ports import free_port


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    world = DatagramService(named(b"world"))
    async with Feed() as feed:
        feed.commit(running("world", "w1", port=world.port))
        yield feed
    world.close()


async def asked(source: Source) -> bool:
    """Whether it was answered: asked up to ten times, as datagrams may be lost while workers change."""
    for _ in range(10):
        source.send(b"x")
        try:
            await source.heard(within_s=1.0)
        except TimeoutError:
            continue
        return True
    return False


async def test_sources_are_answered_by_every_worker_through_reload_and_kill(feed: Feed, tmp_path: Path) -> None:
    port = free_port()
    route = {"listeners": ["game"], "destinations": [{"service": "world"}], "per_source": 0}
    feed.commit(
        document("Listener", "game", {"port": port, "protocol": "udp"}, "mesh"), document("UdpRoute", "game", route)
    )
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        await until(lambda: "Listener mesh/game" in gateway.text())
        with Sources(("127.0.0.1", port)) as sources:
            players = [sources.one() for _ in range(40)]
            assert all(await asyncio.gather(*(asked(player) for player in players)))
            await gateway.wait_for_count("meshway_udp_sessions", 40)
            before = set(await gateway.worker_pids())
            gateway.send(signal.SIGHUP)
            await gateway.wait_for_workers(before, 2)
            assert all(await asyncio.gather(*(asked(player) for player in players)))
            victim = max(await gateway.worker_pids())
            os.kill(victim, signal.SIGKILL)
            assert all(await asyncio.gather(*(asked(player) for player in players)))

        async def have_counted() -> bool:
            """The first and the last round; of the one between, the victim may not have written its part."""
            return await gateway.metric("meshway_udp_datagrams_total") >= 160

        await until_told(have_counted, what="the datagrams of two rounds are counted")

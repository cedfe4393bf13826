"""Failure row "empty catalogue after a fault": most endpoints vanish, and those that answer are called on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.parts.changes import left, running
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService

COUNT = 6


@pytest.fixture
async def books() -> AsyncIterator[list[PlainService]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(PlainService(f"b{number}")) for number in range(COUNT)]


@pytest.fixture
async def feed(books: list[PlainService]) -> AsyncIterator[Feed]:
    async with Feed() as feed:
        feed.commit(*(running("books", service.name, port=service.port) for service in books))
        yield feed


async def answers(gateway: GatewayProcess, count: int = 60) -> list[int]:
    return [(await gateway.call("books")).status_code for _ in range(count)]


async def test_an_empty_snapshot_takes_no_endpoint_away_that_answers(
    feed: Feed, books: list[PlainService], tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=2) as gateway:
        await feed.stop()
        await books[0].stop()  # and one is really gone
        feed.epoch, feed.revision, feed.log = "e2", 0, []
        feed.entries.clear()
        feed.commit()
        await feed.start()
        await until(lambda: feed.reports and feed.reports[-1]["mass_removal_guard"] == COUNT)
        assert await answers(gateway) == [200] * 60
        assert {service.name for service in books if service.calls} == {f"b{number}" for number in range(1, COUNT)}
        assert await gateway.metric("meshway_mass_removal_guard") == COUNT
        assert await gateway.metric("meshway_mass_removals_total") == 1
        config = await gateway.config()
        assert len(config["mass_removal_guard"]["kept"]) == COUNT
        assert "mass removal: 6 endpoints vanished" in gateway.text()

        before = set(await gateway.worker_pids())
        gateway.send(1)  # SIGHUP: a new worker keeps them, too
        await gateway.wait_for_workers(before, 2)
        assert await answers(gateway, 20) == [200] * 20

        feed.commit(*(running("books", service.name, port=service.port) for service in books[1:]))
        await until(lambda: feed.reports[-1]["mass_removal_guard"] == 1)
        assert await answers(gateway, 20) == [200] * 20


async def test_one_lease_after_the_other_that_ends_is_a_mass_as_well_and_deregistrations_are_none(
    feed: Feed, books: list[PlainService], tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        for service in books[:5]:
            feed.commit(running("books", service.name, port=service.port, status="critical"))
        await gateway.wait_for_revision(feed.revision)
        # Drawn by chance: of 30 calls one of six endpoints gets none in every fortieth run, of 120 in none.
        assert await answers(gateway, 120) == [200] * 120
        assert sum(bool(service.calls) for service in books) == COUNT
        for service in books:
            feed.commit(left("books", service.name))
        await gateway.wait_for_revision(feed.revision)
        assert await answers(gateway, 3) == [503] * 3, "who deregisters is called no more"
        assert await gateway.metric("meshway_mass_removal_guard") == 0


@pytest.mark.soak
async def test_after_thirty_seconds_what_did_not_come_back_is_gone(
    feed: Feed, books: list[PlainService], tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        feed.commit(*(running("books", each.name, port=each.port, status="critical") for each in books))
        began = asyncio.get_running_loop().time()
        while (await gateway.call("books")).status_code == 200:
            await asyncio.sleep(0.1)
        assert 29.0 < asyncio.get_running_loop().time() - began < 32.0
        await until(lambda: feed.reports[-1]["mass_removal_guard"] == 0)

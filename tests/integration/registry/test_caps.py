"""More connections and watchers than a registry serves at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.parts.conditions import until
from tests.parts.planes import Registry
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_wire import Answer, RawClient


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    caps = {"max_connections": 4, "max_connections_per_address": 3, "max_watchers": 2, "max_watchers_per_address": 1}
    async with running_registry(tmp_path, **caps) as registry:
        yield registry


def refused(answer: Answer, code: str) -> bool:
    assert (answer.status, answer.json["code"]) == (503, code), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    return True


async def value(registry: RunningRegistry, name: str) -> float:
    text = (await registry.call("GET", "/metrics")).body.decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.split()[0] == name)


async def test_a_connection_too_many_is_told_so_and_the_next_is_served_when_one_has_left(
    small: RunningRegistry,
) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(small.port)) for _ in range(3)]
        for client in clients:
            assert (await client.call("GET", "/v1/namespaces/default/services")).status == 200
        async with RawClient(small.port) as fourth:
            answer = await fourth.call("GET", "/v1/namespaces/default/services")
            assert refused(answer, "too_many_connections")
            assert "--max-connections-per-address" in answer.json["mend"]
            assert answer.headers["connection"] == "close"
            assert await fourth.reader.read() == b""
        async with RawClient(small.port) as fourth:  # a body that is still on its way does not overtake the answer
            assert refused(await fourth.call("PUT", "/v1/registrations", b"x" * 100_000), "too_many_connections")
        assert await value(small, "meshway_registry_connections_refused_total") == 3  # this one is another
        assert await value(small, "meshway_registry_connections") == 3
        assert (await clients[0].call("GET", "/v1/namespaces/default/services")).status == 200
        clients[1].writer.close()
        await until(lambda: len(small.surface.connections) == 2)
        assert (await small.call("GET", "/v1/namespaces/default/services")).status == 200


async def test_health_and_metrics_are_answered_when_all_places_are_taken(small: RunningRegistry) -> None:
    async with AsyncExitStack() as stack:
        for client in [await stack.enter_async_context(RawClient(small.port)) for _ in range(3)]:
            await client.call("GET", "/v1/health/live")
        for path in ("/v1/health/live", "/v1/health/ready", "/metrics"):
            answer = await small.call("GET", path)
            assert (answer.status, answer.headers["connection"]) == (200, "close")


async def test_in_a_crowd_nobodys_body_is_waited_for(small: RunningRegistry) -> None:
    async with AsyncExitStack() as stack:
        for client in [await stack.enter_async_context(RawClient(small.port)) for _ in range(3)]:
            await client.call("GET", "/v1/health/live")
        async with RawClient(small.port) as fourth:
            fourth.writer.write(b"GET /v1/health/live HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nx")
            assert refused(await fourth.answer(), "too_many_connections")


async def test_one_that_opens_hundreds_holds_no_more_than_the_crowd_may(small: RunningRegistry) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(small.port)) for _ in range(200)]
        await until(lambda: len(small.surface.connections) + small.surface.caps.crowded >= 67)
        # Above the crowd nobody is listened to: their connections end.
        ended = [asyncio.ensure_future(client.reader.read()) for client in clients]  # noqa: TID251
        await until(lambda: sum(one.done() for one in ended) >= 200 - 67)
        for one in ended:
            one.cancel()
        assert len(small.surface.connections) + small.surface.caps.crowded == 67
    await until(lambda: small.surface.caps.crowded == 0 and not small.surface.connections)


@pytest.mark.parametrize(("path", "what"), [("/v1/watch?since=0", "watchers"), ("/v1/feed", "followers")])
async def test_a_watcher_too_many_is_told_so_and_its_connection_serves_on(
    small: RunningRegistry, path: str, what: str
) -> None:
    async with RawClient(small.port) as first, RawClient(small.port) as second:
        first.send("GET", path)
        assert (await first.head()).status == 200
        assert refused(await second.call("GET", path), f"too_many_{what}")
        assert (await second.call("GET", "/v1/health/live")).status == 200
        assert await value(small, f"meshway_registry_{what}_refused_total") == 1
        first.writer.close()
        await until(lambda: not (small.core.feed.watchers or small.core.feed.followers))
        second.send("GET", path)
        assert (await second.head()).status == 200


def test_the_flags_are_the_registrys(tmp_path: Path) -> None:
    flags = ("--max-connections", "1", "--max-connections-per-address", "7", "--max-watchers", "1")
    registry = Registry(tmp_path, "--dns-port", "off", *flags)
    try:
        first = registry.client  # which has asked already
        with httpx.Client(trust_env=False) as second:
            answer = second.get(f"{registry.url}/openapi.json")
            assert (answer.status_code, answer.json()["code"]) == (503, "too_many_connections")
            assert answer.json()["mend"].endswith("allow more: --max-connections")
            with first.stream("GET", "/v1/watch?since=0") as watching:
                assert watching.status_code == 200
    finally:
        registry.close()

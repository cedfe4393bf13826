"""Consul's surface of two registries that share one PostgreSQL and one Valkey, behind whatever balancer there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_wire import RawClient
from tests.parts.valkey import Valkey

Pair = tuple[RunningRegistry, RunningRegistry]


@pytest.fixture
async def pair(tmp_path: Path, database_url: str, valkey: Valkey) -> AsyncIterator[Pair]:
    urls = {"database_url": database_url, "redis_url": valkey.url}
    async with running_registry(tmp_path, **urls) as one, running_registry(tmp_path, **urls) as other:
        yield one, other


def _body(number: int) -> dict[str, object]:
    return {"Name": "books", "ID": f"books:{number}", "Port": 9000 + number, "Check": {"TTL": "10s"}}


async def test_what_one_has_registered_the_other_renews_and_deregisters_at_once(pair: Pair) -> None:
    one, other = pair
    async with RawClient(one.port) as first, RawClient(other.port) as second:
        for number in range(30):
            assert (await first.call("PUT", "/v1/agent/service/register", _body(number))).status == 200
            passed = await second.call("PUT", f"/v1/agent/check/pass/service:books:{number}")
            assert passed.status == 200, (number, passed)
        for number in range(30):
            gone = await first.call("PUT", f"/v1/agent/service/deregister/books:{number}")
            assert gone.status == 200
            # Still in the other's view it is done with nothing to do; no longer there it is unknown.
            again = await second.call("PUT", f"/v1/agent/service/deregister/books:{number}")
            assert again.status in (200, 404), (number, again)
        await second.call("PUT", "/v1/agent/service/register", _body(1))
        taken = {"Node": "n", "ServiceID": "books:1"}
        assert (await first.call("PUT", "/v1/catalog/deregister", taken)).json is True
        assert (await second.call("PUT", "/v1/agent/check/pass/service:books:1")).status == 404


async def test_a_watch_at_one_sees_what_comes_to_the_other(pair: Pair) -> None:
    one, other = pair
    async with RawClient(one.port) as watching:
        index = (await watching.call("GET", "/v1/health/service/books")).headers["x-consul-index"]
        watching.send("GET", f"/v1/health/service/books?index={index}&wait=30s")
        await until(lambda: len(one.core.view.waiters), what="the call is held")
        begun = asyncio.get_running_loop().time()
        await other.call("PUT", "/v1/agent/service/register", _body(1))
        answer = await watching.answer(within_s=5)
        assert asyncio.get_running_loop().time() - begun < 2.0
    assert [found["Service"]["ID"] for found in answer.json] == ["books:1"]
    assert int(answer.headers["x-consul-index"]) > int(index)

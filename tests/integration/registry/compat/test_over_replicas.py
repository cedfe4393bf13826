"""Eureka's and Nacos's clients before registries that share one PostgreSQL and one Valkey, as a balancer deals them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.parts.conditions import until
from tests.parts.eureka import info
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.valkey import Valkey

ONE = "/eureka/apps/ORDERS/" + quote("10.0.0.7:orders:8080")
JSON = "Accept: application/json"
NS = "/nacos/v1/ns/instance"


@pytest.fixture
async def pair(tmp_path: Path, database_url: str, valkey: Valkey) -> AsyncIterator[list[RunningRegistry]]:
    urls = {"database_url": database_url, "redis_url": valkey.url}
    async with running_registry(tmp_path, **urls) as one, running_registry(tmp_path, **urls) as other:
        yield [one, other]


def ends_at(registry: RunningRegistry, service: str) -> float:
    """When the lease ends, by this loop's clock: it moves with a renewal only."""
    (row,) = registry.core.view.services["default", service].values()
    return asyncio.get_running_loop().time() + registry.core.leases.expires_in_s(row.number)


def is_known(registry: RunningRegistry, service: str) -> bool:
    return ("default", service) in registry.core.view.services


async def test_eureka_registers_at_one_renews_at_the_other_and_both_tell_the_same_delta(
    pair: list[RunningRegistry],
) -> None:
    one, other = pair
    assert (await one.call("POST", "/eureka/apps/ORDERS", info(), "Content-Type: application/json")).status == 204
    await until(lambda: is_known(other, "orders"))
    before = ends_at(one, "orders")
    await asyncio.sleep(0.2)  # a renewal at once would move it by too little to be seen
    assert (await other.call("PUT", ONE + "?status=UP&lastDirtyTimestamp=1700000000000")).status == 200
    await until(lambda: ends_at(one, "orders") > before + 0.1)
    assert (await one.call("PUT", ONE + "/status?value=OUT_OF_SERVICE")).status == 200

    async def delta(registry: RunningRegistry) -> dict[str, Any]:
        answer: dict[str, Any] = (await registry.call("GET", "/eureka/apps/delta", None, JSON)).json["applications"]
        return answer

    told = await delta(one)
    await until(lambda: other.core.view.revision >= one.core.view.revision)
    assert await delta(other) == told
    assert told["apps__hashcode"] == "OUT_OF_SERVICE_1_"
    assert (await other.call("DELETE", ONE)).status == 200
    await until(lambda: not is_known(one, "orders"))
    assert (await one.call("PUT", ONE)).status == 404


async def test_nacos_registers_at_one_beats_at_the_other_and_leaves_by_the_first(pair: list[RunningRegistry]) -> None:
    one, other = pair
    place = urlencode({"serviceName": "orders", "ip": "127.0.0.1", "port": 8080})
    assert (await one.call("POST", f"{NS}?{place}&weight=2.5")).body == b"ok"
    await until(lambda: is_known(other, "orders"))
    before = ends_at(one, "orders")
    await asyncio.sleep(0.2)  # a renewal at once would move it by too little to be seen
    assert (await other.call("PUT", f"{NS}/beat?{place}")).json["code"] == 10200
    await until(lambda: ends_at(one, "orders") > before + 0.1)
    (host,) = (await other.call("GET", f"{NS}/list?{place}")).json["hosts"]
    assert (host["weight"], host["healthy"]) == (2.5, True)
    assert (await one.call("DELETE", f"{NS}?{place}")).body == b"ok"
    await until(lambda: not is_known(other, "orders"))
    assert (await other.call("PUT", f"{NS}/beat?{place}")).json["code"] == 20404

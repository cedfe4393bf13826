"""Single calls and spans over several registries on one database: told to one, found at any, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshway.call_lines import CallLine, CallsTold
from meshway.spans import Span, SpansTold
from registry.insight.shared_calls import SharedCalls
from tests.parts.conditions import until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.postgres import Postgres
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.valkey import Valkey

Pair = tuple[RunningRegistry, RunningRegistry]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
async def pair(tmp_path: Path, database_url: str, valkey: Valkey) -> AsyncIterator[Pair]:
    urls = {"database_url": database_url, "redis_url": valkey.url}
    async with running_registry(tmp_path / "one", **urls) as one, running_registry(tmp_path / "two", **urls) as two:
        yield one, two


def calls(sequence: int, *paths: str, trace: str = "") -> CallsTold:
    lines = [
        CallLine(
            time="2026-11-26T12:00:00.000Z",
            duration_ms=1.0,
            path=path,
            service="shop/cart",
            request_id=f"request-{path[1:]}",
            trace_id=trace,
        )
        for path in paths
    ]
    return CallsTold(node="gw-1", boot="b", sequence=sequence, calls=tuple(lines))


def spans(sequence: int, first: int, count: int, trace: str = TRACE) -> SpansTold:
    told = [
        Span(trace_id=trace, span_id=f"{at:016x}", name="a", kind="server", began_s=float(at), ended_s=at + 1.0)
        for at in range(first, first + count)
    ]
    return SpansTold(node="gw-1", boot="b", sequence=sequence, spans=tuple(told))


async def tell(registry: RunningRegistry, told: CallsTold | SpansTold) -> None:
    path = "/v1/requests" if isinstance(told, CallsTold) else "/v1/spans"
    assert (await registry.call("POST", path, msgspec.json.encode(told))).status == 204


def shared(registry: RunningRegistry) -> SharedCalls:
    calls = registry.core.watching.shared_calls
    assert calls is not None
    return calls


async def written(*registries: RunningRegistry) -> None:
    await until(lambda: not any(shared(registry)._waiting for registry in registries), 20)


async def found(registry: RunningRegistry, query: str = "") -> Any:
    answer = await registry.call("GET", f"/v1/requests?{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_what_one_registry_was_told_is_found_at_the_other_and_once(pair: Pair) -> None:
    one, two = pair
    await tell(one, calls(1, "/a", "/b", trace=TRACE))
    await tell(two, calls(1, "/a", "/b", trace=TRACE))  # the answer of the first was lost on its way
    await tell(two, calls(2, "/c"))
    await written(one, two)
    for registry in pair:
        assert [item["path"] for item in (await found(registry))["items"]] == ["/c", "/b", "/a"]
        assert [item["path"] for item in (await found(registry, "filter=path:/b"))["items"]] == ["/b"]
        assert (await registry.call("GET", "/v1/requests/request-c")).json["items"][0]["node"] == "gw-1"
    first = await found(one, "limit=2")
    assert [item["path"] for item in first["items"]] == ["/c", "/b"]
    assert [item["path"] for item in (await found(two, f"limit=2&cursor={first['next']}"))["items"]] == ["/a"]
    assert (await one.call("GET", "/v1/requests?cursor=x")).status == 422


async def test_a_trace_is_put_together_of_what_gateways_told_each_registry(pair: Pair) -> None:
    one, two = pair
    await tell(one, spans(1, 5, 1))
    await tell(two, spans(2, 3, 1))
    await tell(two, calls(3, "/a", trace=TRACE))
    await written(one, two)
    for registry in pair:
        trace = (await registry.call("GET", f"/v1/traces/{TRACE}")).json
        assert [span["began_s"] for span in trace["spans"]] == [3.0, 5.0]
        assert [call["path"] for call in trace["calls"]] == ["/a"]
        assert (await registry.call("GET", f"/v1/traces/{'f' * 32}")).status == 404
        unknown = await registry.call("GET", f"/v1/traces/{'f' * 32}?unknown=empty")
        assert (unknown.status, unknown.json) == (200, {"trace_id": "f" * 32, "spans": [], "calls": []})
        assert (await registry.call("GET", f"/v1/traces/{'f' * 32}?unknown=gone")).status == 422


async def test_so_many_spans_are_kept_and_calls_for_a_day(pair: Pair) -> None:
    one, two = pair
    answer = await one.call("PUT", "/v1/namespaces/mesh/mesh-settings/mesh", {"spec": {"retention": {"spans": 100}}})
    assert answer.status == 201
    for at in range(5):
        await tell(one, spans(at + 1, at * 50, 50, f"{at:032x}"))
    await tell(one, calls(9, "/a"))
    await written(one)
    await until(lambda: two.core.view.document(("MeshSettings", "mesh", "mesh")) is not None)
    for registry in pair:  # one of them does it for all
        await shared(registry).prune()
    kept = [(await two.call("GET", f"/v1/traces/{at:032x}")).status for at in range(5)]
    assert kept == [404, 404, 404, 200, 200]
    assert len((await found(two))["items"]) == 1
    for registry in pair:
        shared(registry)._wall = lambda: 1e10
        await shared(registry).prune()
    assert (await found(two))["items"] == []


async def test_without_its_database_it_says_so_and_what_was_told_meanwhile_is_kept(
    tmp_path: Path, database_url: str, valkey: Valkey, postgres: Postgres
) -> None:
    async with FaultProxy(postgres.port) as proxy:
        url = database_url.replace(f":{postgres.port}/", f":{proxy.port}/")
        async with running_registry(tmp_path, database_url=url, redis_url=valkey.url) as registry:
            proxy.refuse()
            await tell(registry, calls(1, "/a"))
            assert (await registry.call("GET", "/v1/requests")).status == 503
            await proxy.listen()
            await written(registry)
            assert shared(registry).dropped == 0
            assert [item["path"] for item in (await found(registry))["items"]] == ["/a"]

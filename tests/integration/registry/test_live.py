"""GET /v1/live over the registry's own surface: what each topic says, to whom, and how it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Numbers, Row
from registry.machine import live, live_topics
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.registry_wire import RawClient
from tests.parts.server_sent import events

SUBSETS = [{"name": name, "match": {"version": name}} for name in ("v1", "v2")]
SPLIT = [{"service": "reviews", "subset": name, "weight": weight} for name, weight in (("v1", 100), ("v2", 0))]


def written(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"namespace": "shop", "name": name}, "spec": spec}


ROLLOUT = [
    written("Service", "reviews", {"subsets": SUBSETS}),
    written("Route", "reviews", {"rules": [{"name": "all", "destinations": SPLIT}]}),
    written(
        "Rollout",
        "reviews-v2",
        {
            "route": "reviews",
            "rule": "all",
            "stable": {"service": "reviews", "subset": "v1"},
            "canary": {"service": "reviews", "subset": "v2"},
            "steps": [{"weight_percent": 5, "hold": "10s"}],
        },
    ),
]


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """Everybody signs in."""
    async with running_registry(tmp_path, trusts_loopback=False) as running:
        yield running


async def put_service(registry: RunningRegistry, namespace: str, name: str, *lines: str) -> int:
    document: dict[str, Any] = {"spec": {}}
    answer = await registry.call("PUT", f"/v1/namespaces/{namespace}/services/{name}", document, *lines)
    assert answer.status in (200, 201), answer
    return int(answer.headers["meshway-revision"])


async def report_calls(registry: RunningRegistry, sequence: int, calls: int, *lines: str) -> None:
    rows = tuple(
        Row(("edge", service), calls, seconds=calls * 0.01, buckets={bucket_of(0.01): calls})
        for service in ("shop/cart", "bank/vault")
    )
    told = Numbers(
        node="gw-1", boot="boot-of-gw-1", sequence=sequence, begun=time.time() - 2.0, ended=time.time(), edges=rows
    )
    answer = await registry.call("POST", "/v1/telemetry", msgspec.to_builtins(told, str_keys=True), *lines)
    assert answer.status == 204, answer


async def every_piece(client: RawClient) -> None:
    """Until the connection ends."""
    while True:
        await client.piece()


async def report_gateway(registry: RunningRegistry, revision: int) -> None:
    answer = await registry.call("POST", "/v1/reports", {"node": "gw-1", "workers": 2, "revision": revision})
    assert answer.status == 204


async def test_a_change_is_named_and_who_comes_again_misses_none(registry: RunningRegistry) -> None:
    async with events(registry.port, "/v1/live?topics=revisions") as reader:
        await reader.begun()
        revision = await put_service(registry, "shop", "cart")
        event = await reader.next("revisions")
        assert event.data["changes"] == [{"kind": "Service", "namespace": "shop", "name": "cart"}]
        assert (event.id, event.data["revision"]) == (str(revision), revision)
    await put_service(registry, "shop", "missed")
    async with events(registry.port, "/v1/live?topics=revisions", f"Last-Event-ID: {event.id}") as reader:
        assert [one["name"] for one in (await reader.next("revisions")).data["changes"]] == ["missed"]
    async with events(registry.port, "/v1/live?topics=revisions&since=99999") as reader:
        reset = await reader.next("reset", "revisions")
        assert (reset.name, reset.data["changes"]) == ("reset", [])
        assert int(reset.id) == registry.core.view.revision


async def test_many_changes_of_a_moment_come_together(registry: RunningRegistry) -> None:
    async with events(registry.port, "/v1/live?topics=revisions") as reader:
        await reader.begun()
        for number in range(40):
            await registry.register("books", f"b-{number}")
        seen: list[str] = []
        count = 0
        while len(seen) < 40:
            count += 1
            seen += [one["name"] for one in (await reader.next("revisions")).data["changes"]]
        assert seen == [f"books/b-{number}" for number in range(40)]
        assert count < 40


async def test_signals_are_those_of_the_api_whenever_they_change(registry: RunningRegistry) -> None:
    await report_calls(registry, 1, 100)
    async with events(registry.port, "/v1/live?topics=signals&window_s=600") as reader:
        first = (await reader.next("signals")).data
        assert first["window_s"] == 600
        assert [(one["name"], one["figures"]["calls"]) for one in first["items"]] == [("vault", 100), ("cart", 100)]
        await report_calls(registry, 2, 50)
        while (told := (await reader.next("signals")).data)["items"][0]["figures"]["calls"] < 150:
            pass
        assert [one["figures"]["calls"] for one in told["items"]] == [150, 150]
    only = "/v1/live?topics=signals&services=shop/cart,shop/none"
    async with events(registry.port, only) as reader:
        assert [one["name"] for one in (await reader.next("signals")).data["items"]] == ["cart"]


async def test_gateways_are_told_when_what_they_run_changes(registry: RunningRegistry) -> None:
    await report_gateway(registry, 0)
    async with events(registry.port, "/v1/live?topics=gateways") as reader:
        first = (await reader.next("gateways")).data["items"]
        assert [(one["node"], one["revision"]) for one in first] == [("gw-1", 0)]
        await report_gateway(registry, 1)
        while (items := (await reader.next("gateways")).data["items"])[0]["revision"] != 1:
            pass
        assert set(items[0]) == set((await registry.call("GET", "/v1/gateways")).json["items"][0])


async def test_alerts_and_rollouts_say_where_there_is_something_new(registry: RunningRegistry) -> None:
    async with events(registry.port, "/v1/live?topics=alerts,rollouts&namespace=shop") as reader:
        await reader.begun()
        registry.core.notices.tell("alerts", ["bank"])
        registry.core.notices.tell("alerts", ["shop", "bank"])
        told = await reader.next("alerts", "rollouts")
        assert (told.name, told.data) == ("alerts", {"namespaces": ["shop"]})
        answer = await registry.call("POST", "/v1/apply", {"documents": ROLLOUT})
        assert answer.status == 200, answer
        told = await reader.next("alerts", "rollouts", "revisions")
        assert (told.name, told.data) == ("rollouts", {"namespaces": ["shop"]})
        assert int(told.id) == answer.json["revision"]
        # Its first step is made by the registry itself.
        assert (await reader.next("rollouts")).data == {"namespaces": ["shop"]}


async def test_nobody_is_told_of_what_he_may_not_read(strict: RunningRegistry) -> None:
    admin, viewer = await bearer(strict, "root", "admin"), await bearer(strict, "eve", "viewer@shop")
    await report_calls(strict, 1, 100, admin)
    async with events(strict.port, "/v1/live", viewer) as reader:
        await reader.begun()
        await put_service(strict, "bank", "secret", admin)
        strict.core.notices.tell("alerts", ["bank"])
        await put_service(strict, "shop", "cart", admin)
        strict.core.notices.tell("alerts", ["bank", "shop"])
        seen: dict[str, Any] = {}
        while not {"revisions", "alerts", "signals"} <= set(seen):
            event = await reader.next()
            assert "bank" not in str(event.data)
            seen[event.name] = event.data
        assert [one["name"] for one in seen["signals"]["items"]] == ["cart"]
    for path, status in (
        ("/v1/live?topics=gateways", 403),
        ("/v1/live?topics=revisions&namespace=bank", 404),
        ("/v1/live?namespace=bank", 404),
        ("/v1/live?topics=signals,revision", 422),
        ("/v1/live?topics=", 422),
        ("/v1/live?services=cart", 422),
        ("/v1/live?window_s=5", 422),
        ("/v1/live?since=x", 422),
        ("/v1/live?topic=alerts", 422),
    ):
        answer = await strict.call("GET", path, None, viewer)
        assert answer.status == status, (path, answer)
    assert (await strict.call("GET", "/v1/live")).status == 401
    async with events(strict.port, "/v1/live?topics=gateways", admin) as reader:
        await reader.begun()


async def test_a_stream_ends_with_the_token_it_was_opened_by(strict: RunningRegistry) -> None:
    admin, viewer = await bearer(strict, "root", "admin"), await bearer(strict, "eve", "viewer@shop")
    async with RawClient(strict.port) as client:
        client.send("GET", "/v1/live", None, viewer)
        assert (await client.head()).status == 200
        token = next(
            one for one in (await strict.call("GET", "/v1/tokens", None, admin)).json["items"] if one["name"] == "eve"
        )
        assert (await strict.call("DELETE", f"/v1/tokens/{token['id']}", None, admin)).status == 204
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await every_piece(client)


async def test_one_who_takes_nothing_is_ended_and_holds_no_place(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.2)
    monkeypatch.setattr(live, "SLOW_S", 0.6)
    monkeypatch.setattr(live, "GATHER_S", 0.0)
    async with RawClient(registry.port) as client:
        client.send("GET", "/v1/live?topics=revisions")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: registry.surface.caps.watchers.count == 1, 10)
        number = 0
        while registry.surface.caps.watchers.count and number < 2_000:
            rows = [
                {"namespace": "n" * 60, "service": f"{'s' * 50}-{at}", "id": f"{'i' * 50}-{number}", "port": 1}
                for at in range(200)
            ]
            answer = await registry.call("POST", "/v1/registrations", {"instances": rows})
            assert answer.status == 200, answer
            number += 1
        assert registry.surface.caps.watchers.count == 0
    assert registry.core.feed.watchers == set()


async def test_more_windows_than_can_be_worked_out_are_refused_and_known_ones_let_in(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_topics, "MOST_WINDOWS", 1)
    async with events(registry.port, "/v1/live?topics=signals&window_s=600") as reader:
        await reader.begun()
        refused = await registry.call("GET", "/v1/live?topics=signals&window_s=700")
        assert (refused.status, refused.json["code"]) == (503, "too_many_windows")
        assert registry.surface.caps.watchers.count == 1
        async with events(registry.port, "/v1/live?topics=signals&window_s=600&namespace=shop") as other:
            await other.begun()

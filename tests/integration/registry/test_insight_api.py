"""Numbers over the registry's own surface: reported as gateways do, and asked as people and the console do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Numbers, Row
from registry.store.insight import sizes
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.valkey import Valkey

_ROUTE = {"hosts": ["cart.example"], "rules": [{"name": "all", "destinations": [{"service": "cart"}]}]}


def row(*key: str, calls: int, failed: int = 0, seconds: float = 0.1) -> Row:
    return Row(key, calls, failed, seconds=calls * seconds, buckets={bucket_of(seconds): calls})


def report(sequence: int = 1, *, ago_s: float = 15.0, **sections: Any) -> Numbers:
    ended = time.time() - ago_s
    return Numbers(node="gw-1", boot="boot-of-gw-1", sequence=sequence, begun=ended - 2.0, ended=ended, **sections)


USUAL: dict[str, Any] = {
    "edges": (
        row("edge", "shop/web", calls=100),
        row("shop/web", "shop/cart", calls=60, failed=6),
        row("shop/web", "bank/pay", calls=40),
        row("bank/ledger", "shop/cart", calls=10),
        row("bank/pay", "bank/ledger", calls=7),
    ),
    "routes": (
        row("shop/cart", "all", "shop/cart", "2xx", "", calls=50),
        row("shop/cart", "all", "shop/cart", "5xx", "UF", calls=6),
        row("bank/pay", "all", "bank/pay", "2xx", "", calls=40),
    ),
    "instances": (
        row("shop/cart", "c-1", calls=500, failed=5),
        row("shop/cart", "c-2", calls=500, failed=100, seconds=0.4),
    ),
}


async def post(registry: RunningRegistry, told: Numbers, *lines: str) -> int:
    return (await registry.call("POST", "/v1/telemetry", msgspec.to_builtins(told, str_keys=True), *lines)).status


async def ask(registry: RunningRegistry, what: str, *lines: str) -> Any:
    answer = await registry.call("GET", f"/v1/insight/{what}", None, *lines)
    assert answer.status == 200, answer.body
    return answer.json


@pytest.fixture
async def counted(registry: RunningRegistry) -> RunningRegistry:
    for version, name in (("v1", "c-1"), ("v2", "c-2")):
        path = f"/v1/namespaces/shop/services/cart/instances/{name}"
        assert (await registry.call("PUT", path, {"port": 9000, "version": version})).status == 201
    for name in ("cart", "unused"):
        route = {"spec": _ROUTE | {"hosts": [f"{name}.example"]}}
        assert (await registry.call("PUT", f"/v1/namespaces/shop/routes/{name}", route)).status == 201
    assert await post(registry, report(**USUAL)) == 204
    return registry


async def test_every_service_is_told_with_its_figures_and_how_well_it_is(counted: RunningRegistry) -> None:
    items = {f"{item['namespace']}/{item['name']}": item for item in (await ask(counted, "services"))["items"]}
    assert set(items) == {"shop/web", "shop/cart", "bank/pay", "bank/ledger"}
    cart = items["shop/cart"]
    assert cart["figures"]["calls"] == 70
    assert cart["figures"]["error_share"] == pytest.approx(6 / 70, rel=1e-3)
    assert (cart["health"], cart["reasons"]) == ("bad", ["8.6% of calls fail"])
    assert cart["instances"] == {"passing": 2, "known": 2}
    assert {item["name"] for item in (await ask(counted, "services?namespace=bank"))["items"]} == {"pay", "ledger"}


async def test_an_open_breaker_and_an_ejected_instance_are_reasons(counted: RunningRegistry) -> None:
    said = {"node": "gw-1", "revision": 1, "open_breakers": ["shop/cart#v1"], "ejected": ["shop/cart/c-2"]}
    assert (await counted.call("POST", "/v1/reports", said)).status == 204
    (cart,) = [item for item in (await ask(counted, "services"))["items"] if item["name"] == "cart"]
    assert cart["reasons"][1:] == ["the breaker is open at 1 gateway", "1 instance is ejected"]
    earlier = await ask(counted, f"services?at={time.time() - 120}")
    assert [item["reasons"] for item in earlier["items"] if item["name"] == "cart"] == [[]]


async def test_figures_over_time_are_by_what_is_asked(counted: RunningRegistry) -> None:
    assert await post(counted, report(2, ago_s=65.0, **USUAL)) == 204
    series = await ask(counted, "series?metric=calls&by=service&window_s=120&step_s=10&namespace=shop")
    lines = {line["name"]: line["points"] for line in series["lines"]}
    assert set(lines) == {"shop/web", "shop/cart"}
    assert (sum(lines["shop/cart"]), max(lines["shop/cart"])) == (140, 70)
    assert series["step_s"] == 10
    by_flag = await ask(counted, "series?metric=calls&by=flag&route=shop/cart&window_s=120")
    assert {line["name"]: sum(line["points"]) for line in by_flag["lines"]} == {"none": 100, "UF": 12}
    narrowed = await ask(counted, "series?metric=calls&by=source&service=shop/cart&window_s=120")
    assert {line["name"]: sum(line["points"]) for line in narrowed["lines"]} == {"shop/web": 120, "bank/ledger": 20}
    versions = await ask(counted, "series?metric=p95_ms&by=version&service=shop/cart&window_s=120&step_s=120")
    assert [line["name"] for line in versions["lines"]] == ["shop/cart v1", "shop/cart v2"]


async def test_who_calls_whom_is_told_and_unchanged_it_is_not_told_again(counted: RunningRegistry) -> None:
    span = f"at={time.time():.0f}&window_s=300"
    first = await counted.call("GET", f"/v1/insight/topology?{span}")
    edges = {(edge["source"], edge["target"]): edge["figures"]["calls"] for edge in first.json["edges"]}
    assert edges == {row.key: row.calls for row in USUAL["edges"]}
    again = await counted.call("GET", f"/v1/insight/topology?{span}", None, f"If-None-Match: {first.headers['etag']}")
    assert again.status in (200, 304), "the span may have moved by a second"
    old = f"at={time.time() - 3000:.0f}&window_s=300"
    earlier = await counted.call("GET", f"/v1/insight/topology?{old}")
    known = f"If-None-Match: {earlier.headers['etag']}"
    assert (await counted.call("GET", f"/v1/insight/topology?{old}", None, known)).status == 304
    around = await ask(counted, "topology?level=focus&service=bank/pay")
    assert {node["id"] for node in around["nodes"]} == {"shop/web", "bank/pay", "bank/ledger"}
    namespaces = await ask(counted, "topology?level=namespaces")
    assert {node["id"]: node["kind"] for node in namespaces["nodes"]} == {
        "edge": "caller",
        "shop": "namespace",
        "bank": "namespace",
    }


async def test_the_map_says_where_calls_part_which_versions_answered_and_what_was_refused(
    counted: RunningRegistry,
) -> None:
    parted = {
        "hosts": ["parted.example"],
        "rules": [{"destinations": [{"service": "cart", "weight": 3}, {"service": "pay", "namespace": "bank"}]}],
    }
    pay = "/v1/namespaces/bank/services/pay/instances/p-1"
    assert (await counted.call("PUT", pay, {"port": 9001})).status == 201
    assert (await counted.call("PUT", "/v1/namespaces/shop/routes/parted", {"spec": parted})).status == 201
    refused = Row(("shop/web", "shop/cart"), 8, 0, 8, retries=4, limited=8, mutual=8)
    assert await post(counted, report(2, edges=(refused,))) == 204
    told = await ask(counted, "topology?versions=true")
    (edge,) = [each for each in told["edges"] if (each["source"], each["target"]) == ("shop/web", "shop/cart")]
    assert (edge["limited"], edge["mutual"], edge["figures"]["retries"], edge.get("shed")) == (8, 8, 4, None)
    nodes = {node["id"]: node for node in told["nodes"]}
    assert nodes["shop/cart"]["versions"] == {"v1": 0.5, "v2": 0.5}
    assert [branch["share"] for branch in nodes["shop/cart"]["branchings"][0]["split"]] == [0.75, 0.25]
    assert nodes["bank/pay"]["branchings"] == nodes["shop/cart"]["branchings"]
    earlier = await ask(counted, f"topology?versions=true&window_s=3600&at={time.time() - 60}")
    assert all("branchings" not in node for node in earlier["nodes"]), "documents are those of now"
    unasked = await ask(counted, "topology?level=services")
    assert all("versions" not in node for node in unasked["nodes"])
    assert (await counted.call("GET", "/v1/insight/topology?versions=perhaps")).status == 422


async def test_two_versions_and_two_spans_stand_side_by_side(counted: RunningRegistry) -> None:
    versions = await ask(counted, "versions?service=shop/cart&versions=v1,v2")
    assert [figures["calls"] for figures in versions["figures"]] == [500, 500]
    three = await ask(counted, "versions?service=shop/cart&versions=v1,v2,v3")
    assert [figures["calls"] for figures in three["figures"]] == [500, 500, 0]
    assert three["difference"] == versions["difference"]
    assert versions["difference"]["is_certain"]
    assert versions["difference"]["p95_ratio"] == pytest.approx(4.0, rel=0.1)
    assert await post(counted, report(2, ago_s=400.0, edges=(row("shop/web", "shop/old", calls=5),))) == 204
    spans = await ask(counted, "comparison?window_s=300")
    results = {(edge["source"], edge["target"]): edge["result"] for edge in spans["edges"]}
    assert results[("shop/web", "shop/old")] == "gone"
    assert results[("shop/web", "shop/cart")] == "added"


async def test_a_route_tells_when_it_was_used_last_and_one_that_never_was_says_so(counted: RunningRegistry) -> None:
    items = {item["name"]: item for item in (await ask(counted, "routes?namespace=shop"))["items"]}
    assert set(items) == {"cart", "unused"}
    assert items["cart"]["figures"]["calls"] == 56
    assert items["cart"]["last_used"] == pytest.approx(time.time() - 15, abs=30)
    assert (items["unused"]["last_used"], items["unused"]["rules"]) == (None, [])


async def test_a_dry_run_tells_whom_it_would_touch_and_an_apply_does_not(counted: RunningRegistry) -> None:
    limit = {
        "apiVersion": "meshway/v1",
        "kind": "RateLimit",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"targets": [{"service": "cart"}], "token_bucket": {"rate": "100/s"}},
    }
    dry = await counted.call("POST", "/v1/apply?dry_run=true", {"documents": [limit]})
    effect = dry.json["effect"]
    assert (effect["route_count"], effect["service_count"], effect["caller_count"]) == (1, 1, 2)
    assert [share["name"] for share in effect["callers"]] == ["shop/web", "bank/ledger"]
    assert effect["rps"] == pytest.approx(56 / 600, rel=0.05)
    done = await counted.call("POST", "/v1/apply", {"documents": [limit]})
    assert (done.status, "effect" in done.json) == (200, False)
    again = await counted.call("POST", "/v1/apply?dry_run=true", {"documents": [limit]})
    assert again.json["effect"]["route_count"] == 0, "nothing would change"
    gone = {"delete": [{"kind": "RateLimit", "namespace": "shop", "name": "cart"}]}
    deleted = await counted.call("POST", "/v1/apply?dry_run=true", gone)
    assert deleted.json["effect"]["route_count"] == 1


@pytest.mark.proves("Retention.points_10s", "Retention.points_1m", "Retention.points_1h")
async def test_points_are_kept_as_long_as_the_mesh_says(counted: RunningRegistry) -> None:
    rolling = counted.core.watching.insight.rolling

    async def later(age_s: float) -> set[int]:
        """The steps of which there are points then."""
        rolling._wall = lambda: time.time() + age_s
        rolling._forget_at = 0.0
        await rolling.turn()
        ((*found,),) = await rolling._store.read([sizes()])
        return {row[0] for row in found}

    async def steps(*agos_s: float) -> list[int]:
        asked = [f"series?at={time.time() - ago_s}&window_s=60&step_s=10" for ago_s in agos_s]
        return [(await ask(counted, each))["step_s"] for each in asked]

    # Whether an hour ends meanwhile is the clock's.
    assert await later(120.0) - {3_600} == {10, 60}
    assert await later(1_300.0) - {3_600} == {10, 60}
    assert await steps(1_300.0, 7_300.0) == [10, 60]
    settings = {"retention": {"points_10s": "10m", "points_1m": "1h", "points_1h": "24h"}}
    path = "/v1/namespaces/mesh/mesh-settings/mesh"
    assert (await counted.call("PUT", path, {"spec": settings})).status == 201
    assert await steps(1_300.0, 7_300.0) == [60, 3_600]
    assert await later(1_300.0) - {3_600} == {60}
    assert await later(8_000.0) == {3_600}
    assert await later(80_000.0) == {3_600}
    assert await later(95_000.0) == set()


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("series?metric=p90", "query.metric"),
        ("series?by=colour", "query.by"),
        ("series?step_s=15", "query.step_s"),
        ("series?step_s=10&window_s=86400", "query.step_s"),
        ("series?by=route&source=edge", "query.source"),
        ("services?at=yesterday", "query.at"),
        ("services?window_s=5", "query.window_s"),
        ("services?window=5", "query.window"),
        ("topology?level=focus", "query.service"),
        ("topology?level=world", "query.level"),
        ("versions?service=cart&versions=v1", "query.versions"),
        ("versions?service=cart&versions=v1,v2,v1", "query.versions"),
        (f"versions?service=cart&versions={','.join(f'v{n}' for n in range(21))}", "query.versions"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_its_part(
    registry: RunningRegistry, asked: str, path: str
) -> None:
    answer = await registry.call("GET", f"/v1/insight/{asked}")
    assert answer.status == 422
    assert [error["path"] for error in answer.json["errors"]] == [path]


async def test_a_report_that_makes_no_sense_is_refused_by_its_part(registry: RunningRegistry) -> None:
    good = report(edges=(row("edge", "shop/cart", calls=1),))
    body = msgspec.to_builtins(good, str_keys=True)
    for change, path in (
        ({"edges": [[["edge"], 1]]}, "edges[0][0]"),
        ({"node": ""}, "node"),
        ({"sequence": 0}, "sequence"),
        ({"edges": [[["edge", "shop/cart"], -1]]}, "edges[0][1]"),
        ({"edges": 7}, "edges"),
    ):
        answer = await registry.call("POST", "/v1/telemetry", body | change)
        assert answer.status == 422, answer.body
        assert [error["path"] for error in answer.json["errors"]] == [path]
    assert (await registry.call("POST", "/v1/telemetry", body)).status == 204


async def test_who_may_see_one_namespace_is_not_told_the_names_of_others(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        gateway = await bearer(registry, "gw", "gateway")
        viewer = await bearer(registry, "of-shop", "viewer@shop")
        everyone = await bearer(registry, "of-all", "viewer")
        assert await post(registry, report(**USUAL), viewer) == 403
        assert await post(registry, report(**USUAL), gateway) == 204
        shown = await ask(registry, "topology", viewer)
        assert {(edge["source"], edge["target"]) for edge in shown["edges"]} == {
            ("edge", "shop/web"),
            ("shop/web", "shop/cart"),
            ("shop/web", "hidden"),
            ("hidden", "shop/cart"),
        }
        for what in ("services", "topology", "series?by=source", "series?by=rule", "comparison", "routes"):
            answer = await registry.call("GET", f"/v1/insight/{what}", None, viewer)
            assert answer.status == 200
            assert b"bank" not in answer.body, what
            assert b"bank" in (await registry.call("GET", f"/v1/insight/{what}", None, everyone)).body, what
        service = {"apiVersion": "meshway/v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"}}
        draft = {"documents": [service | {"spec": {}}]}
        dry = await registry.call("POST", "/v1/apply?dry_run=true", draft, viewer)
        assert {share["name"] for share in dry.json["effect"]["callers"]} == {"shop/web", "hidden"}
        assert (await registry.call("GET", "/v1/insight/services?namespace=bank", None, viewer)).status == 404
        assert (await registry.call("GET", "/v1/insight/services", None, gateway)).status == 403
        assert (await registry.call("GET", "/v1/insight/services")).status == 401


async def test_registries_on_one_database_tell_the_same_and_one_of_them_rolls_up(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    shared = {"database_url": database_url, "redis_url": valkey.url}
    async with (
        running_registry(tmp_path / "one", **shared) as one,
        running_registry(tmp_path / "two", **shared) as two,
    ):
        told = report(ago_s=45.0, **USUAL)
        assert await post(one, told) == 204
        assert await post(two, told) == 204
        assert [await calls_of_cart(each) for each in (one, two)] == [70, 70]
        await until(
            lambda: one.core.watching.insight.rolling.spans + two.core.watching.insight.rolling.spans > 0,
            30,
            what="a point of 10 s",
        )
        assert [await calls_of_cart(each) for each in (one, two)] == [70, 70]
        assert 0 in (one.core.watching.insight.rolling.spans, two.core.watching.insight.rolling.spans)


async def calls_of_cart(registry: RunningRegistry) -> int:
    edges = (await ask(registry, "topology"))["edges"]
    return sum(edge["figures"]["calls"] for edge in edges if edge["target"] == "shop/cart")


async def test_what_a_consumer_called_is_told_by_credential_and_by_day(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        everyone, viewer = await bearer(registry, "of-all", "admin"), await bearer(registry, "of-shop", "viewer@shop")
        gateway = await bearer(registry, "gw", "gateway")
        for namespace in ("shop", "bank"):
            path = f"/v1/namespaces/{namespace}/consumers/acme"
            assert (await registry.call("PUT", path, {"spec": {}}, everyone)).status == 201
        counted = (
            row("shop/acme", "acme0001", "2xx", "", calls=8),
            row("shop/acme", "acme0001", "4xx", "RL", calls=2),
            row("bank/acme", "jwt", "2xx", "", calls=5),
        )
        assert await post(registry, report(consumers=counted), gateway) == 204
        assert [one["namespace"] for one in (await ask(registry, "consumers", everyone))["items"]] == ["bank", "shop"]
        (shop,) = (await ask(registry, "consumers", viewer))["items"]
        assert (shop["namespace"], shop["calls"]) == ("shop", {"calls": 10, "failed": 0, "limited": 2, "denied": 0})
        assert [(one["id"], one["calls"]["calls"]) for one in shop["credentials"]] == [("acme0001", 10)]
        assert time.time() - shop["last_used"] < 60
        days = (await ask(registry, "consumers/days?consumer=shop/acme&days=2", viewer))["items"]
        assert [day["calls"]["calls"] for day in days][-1] + days[0]["calls"]["calls"] == 10
        # What stays when the report has become a point.
        await registry.core.watching.insight.rolling.turn()
        (again,) = (await ask(registry, "consumers", viewer))["items"]
        assert again == shop
        for query in ("consumers?namespace=bank", "consumers/days?consumer=bank/acme"):
            assert (await registry.call("GET", f"/v1/insight/{query}", None, viewer)).status == 404
        assert (await registry.call("GET", "/v1/insight/consumers/days?consumer=acme", None, viewer)).status == 422

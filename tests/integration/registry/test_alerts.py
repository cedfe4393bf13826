"""Alerts over a running registry: numbers as gateways report them, rules as people write them, turn by turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.model.builtin_alerts import BUILT_IN
from meshway.telemetry import Numbers, Row
from registry.alerts import silences
from registry.alerts.evaluator import LEAD
from registry.alerts.records import AlertState, state_of
from registry.store.alerts import live_states
from registry.store.interface import StoreUnavailable
from registry.store.steps import Row as StoreRow
from registry.store.steps import Step
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.valkey import Valkey

EVERY: dict[str, Any] = {"for": "0s", "keep_firing": "0s"}
_sequences: dict[str, int] = {}


def calls(
    service: str, count: int, *, failed: int = 0, seconds: float = 0.1, flag: str = "", node: str = "gw-1"
) -> Numbers:
    """As a gateway reports them: of one service, by one caller and one Route, of just now."""
    _sequences[node] = _sequences.get(node, 0) + 1
    full, now = f"shop/{service}", time.time()
    buckets = {bucket_of(seconds): count}
    rows = {
        "edges": (Row(("edge", full), count, failed, seconds=count * seconds, buckets=buckets),),
        "routes": (
            Row((full, "all", full, "2xx", ""), count - failed, buckets={bucket_of(seconds): count - failed}),
            Row((full, "all", full, "5xx", flag), failed, failed, buckets={bucket_of(seconds): failed}),
        ),
        "instances": (Row((full, f"{service}-1"), count, failed, seconds=count * seconds, buckets=buckets),),
    }
    boot = f"boot-{node}-{id(asyncio.get_running_loop())}"
    return Numbers(node=node, boot=boot, sequence=_sequences[node], begun=now - 2, ended=now, **rows)


async def told(registry: RunningRegistry, numbers: Numbers) -> None:
    answer = await registry.call("POST", "/v1/telemetry", msgspec.to_builtins(numbers, str_keys=True))
    assert answer.status == 204, answer.body


async def write(
    registry: RunningRegistry, plural: str, name: str, spec: dict[str, Any], namespace: str = "shop"
) -> Any:
    answer = await registry.call("PUT", f"/v1/namespaces/{namespace}/{plural}/{name}", {"spec": spec})
    assert answer.status in (200, 201), answer.body
    return answer.json


async def alerts(registry: RunningRegistry, query: str = "", *lines: str) -> list[dict[str, Any]]:
    answer = await registry.call("GET", f"/v1/alerts{query}", None, *lines)
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.json["items"]
    return items


async def look(registry: RunningRegistry) -> dict[str, dict[str, Any]]:
    """One turn, and what is there after it, by the rule's name."""
    await registry.core.watching.alerts.evaluator.turn()
    return {each["name"]: each for each in await alerts(registry)}


class Moved:
    """The time that rules are looked at, ahead of the machine's by what the test says."""

    def __init__(self, registry: RunningRegistry) -> None:
        self._ahead_s = 0.0
        registry.core.watching.alerts.evaluator.wall = lambda: time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


async def status(registry: RunningRegistry, service: str, value: str) -> None:
    path = f"/v1/namespaces/shop/services/{service}/instances/{service}-1"
    assert (await registry.call("PATCH", path, {"status": value})).status == 200


@pytest.fixture
async def shop(registry: RunningRegistry) -> RunningRegistry:
    for name in ("cart", "pay"):
        path = f"/v1/namespaces/shop/services/{name}/instances/{name}-1"
        assert (await registry.call("PUT", path, {"port": 9000, "version": "v1", "zone": "a"})).status == 201
    return registry


@pytest.mark.proves("Alert.query", "Alert.severity", "Alert.labels", "Alert.summary", "Alert.runbook_url")
async def test_a_share_of_failures_fires_and_is_told_with_what_it_is_about(shop: RunningRegistry) -> None:
    rule = {
        "query": "service=cart error_ratio > 2 % over 1m and service=cart rate > 1/m",
        "severity": "critical",
        "labels": {"team": "checkout"},
        "summary": "${value} of ${service} fail, ${team}",
        "runbook_url": "https://wiki.example/cart",
    }
    await write(shop, "alerts", "failing", EVERY | rule)
    await told(shop, calls("cart", 100))
    assert "failing" not in await look(shop)
    await told(shop, calls("cart", 100, failed=20))
    found = (await look(shop))["failing"]
    assert (found["state"], found["severity"], found["namespace"]) == ("firing", "critical", "shop")
    assert found["labels"] == {"namespace": "shop", "service": "cart", "team": "checkout"}
    assert found["summary"] == "10 % of cart fail, checkout"
    assert found["runbook_url"] == "https://wiki.example/cart"
    assert found["value"] == pytest.approx(0.1)


@pytest.mark.proves("Alert.for", "Alert.keep_firing")
async def test_it_waits_before_it_fires_and_before_it_is_over(shop: RunningRegistry) -> None:
    clock = Moved(shop)
    rule = {"query": "service=cart instances_passing < 1 for 30s", "keep_firing": "40s"}
    await write(shop, "alerts", "gone", rule)
    await status(shop, "cart", "maintenance")
    assert (await look(shop))["gone"]["state"] == "pending"
    clock.advance(29)
    assert (await look(shop))["gone"]["state"] == "pending"
    clock.advance(1)
    firing = (await look(shop))["gone"]
    assert firing["state"] == "firing"
    await status(shop, "cart", "passing")
    clock.advance(39)
    assert (await look(shop))["gone"]["id"] == firing["id"]
    clock.advance(1)
    assert "gone" not in await look(shop)
    (over,) = [
        each for each in await alerts(shop, "?state=resolved&namespace=shop&before=9e9") if each["name"] == "gone"
    ]
    assert (over["id"], over["state"]) == (firing["id"], "resolved")
    assert over["active_at"] < over["fired_at"] < over["resolved_at"]


async def test_what_is_pending_and_passes_was_never_there(shop: RunningRegistry) -> None:
    await write(shop, "alerts", "gone", {"query": "service=cart instances_passing < 1"})
    await status(shop, "cart", "maintenance")
    assert (await look(shop))["gone"]["state"] == "pending"
    await status(shop, "cart", "passing")
    assert "gone" not in await look(shop)
    assert [each["name"] for each in await alerts(shop, "?state=resolved&before=9e9")] == []


@pytest.mark.proves("Alert.minimum_requests")
async def test_few_calls_say_nothing_of_a_share(shop: RunningRegistry) -> None:
    query = "service=cart error_ratio > 2 %"
    await write(shop, "alerts", "few", EVERY | {"query": query, "minimum_requests": 10})
    await write(shop, "alerts", "many", EVERY | {"query": query, "minimum_requests": 11})
    await told(shop, calls("cart", 10, failed=5))
    assert {"few", "many"} & set(await look(shop)) == {"few"}


@pytest.mark.proves("Alert.no_data")
@pytest.mark.parametrize(("no_data", "states"), [("keep", "FF"), ("resolve", "F-"), ("fire", "FF")])
async def test_what_no_data_means_is_said_by_the_rule(shop: RunningRegistry, no_data: str, states: str) -> None:
    rule = {"query": "service=cart error_ratio > 2 % over 10s", "no_data": no_data}
    await write(shop, "alerts", "quiet", EVERY | rule)
    seen = ["firing" if no_data == "fire" else None]
    assert [(await look(shop)).get("quiet", {}).get("state")] == seen
    await told(shop, calls("cart", 100, failed=50))
    assert (await look(shop))["quiet"]["state"] == "firing"
    shop.core.watching.insight.reading.wall = lambda: time.time() + 300.0
    after = (await look(shop)).get("quiet", {}).get("state", "-")
    assert after[0].upper() == states[1]


@pytest.mark.proves("Alert.enabled")
async def test_a_rule_that_is_off_fires_no_more(shop: RunningRegistry) -> None:
    rule = EVERY | {"query": "service=cart instances_passing >= 1"}
    await write(shop, "alerts", "there", rule)
    assert (await look(shop))["there"]["state"] == "firing"
    await write(shop, "alerts", "there", rule | {"enabled": False})
    assert "there" not in await look(shop)
    assert [each["name"] for each in await alerts(shop, "?state=resolved")] == ["there"]


@pytest.mark.proves("Alert.mute", "MuteTime.days", "MuteTime.from", "MuteTime.to", "MuteTime.timezone")
async def test_a_muted_alert_fires_and_is_told_to_nobody(shop: RunningRegistry) -> None:
    rule = EVERY | {"query": "service=cart instances_passing >= 1"}
    # 2027-01-16 is a Saturday; 23:30 in Paris is 22:30 UTC.
    moment = 1_800_138_600.0
    shop.core.watching.alerts.wall = lambda: moment
    muted = {
        "night": {"days": ["sat"], "from": "23:00", "to": "06:00", "timezone": "Europe/Paris"},
        "of-utc": {"days": ["sat"], "from": "23:00", "to": "06:00"},
        "of-sunday": {"days": ["sun"], "from": "23:00", "to": "06:00", "timezone": "Europe/Paris"},
        "over": {"days": ["sat"], "from": "20:00", "to": "23:30", "timezone": "Europe/Paris"},
    }
    for name, times in muted.items():
        await write(shop, "alerts", name, rule | {"mute": [times]})
    found = await look(shop)
    assert {name: found[name].get("muted", False) for name in muted} == {
        "night": True,
        "of-utc": False,
        "of-sunday": False,
        "over": False,
    }
    live = shop.core.watching.alerts.evaluator.live.values()
    assert [each.name for each in live if shop.core.watching.notifications.is_muted(each)] == ["night"]
    assert [each["name"] for each in await alerts(shop, "?state=silenced")] == ["night"]


@pytest.mark.proves("Alert.receivers", "Objective.receivers")
async def test_a_receiver_that_is_not_there_is_refused(shop: RunningRegistry) -> None:
    alert = {"query": "service=cart rate > 1/s", "receivers": ["oncal"]}
    objective = {"target": {"service": "cart"}, "indicator": {"availability": {}}, "receivers": ["oncal"]}
    for plural, spec in (("alerts", alert), ("objectives", objective)):
        answer = await shop.call("PUT", f"/v1/namespaces/shop/{plural}/a", {"spec": spec})
        assert (answer.status, answer.json["errors"][0]["code"]) == (422, "unknown_reference")
        assert "no Receiver in namespace shop, nor in mesh" in answer.json["detail"]
        spec.pop("receivers")
        warned = await write(shop, plural, "a", spec)
        assert [each["code"] for each in warned["warnings"]] == ["no_receiver"]


async def test_an_objective_that_can_never_fire_or_hardly_is_called_is_told_when_it_is_applied(
    shop: RunningRegistry,
) -> None:
    spec = {"target": {"service": "cart"}, "indicator": {"availability": {}}, "target_percent": 90}
    document = {
        "apiVersion": "meshway/v1",
        "kind": "Objective",
        "metadata": {"name": "slo", "namespace": "shop"},
        "spec": spec,
    }

    async def codes() -> list[tuple[str, str]]:
        answer = await shop.call("POST", "/v1/apply?dry_run=true", {"documents": [document]})
        assert answer.status == 200, answer.body
        return [(each["code"], each["path"]) for each in answer.json["warnings"]]

    assert await codes() == [
        ("no_receiver", "spec.receivers"),
        ("never_fires", "spec.burn[0]"),
        ("low_traffic", "spec.minimum_requests"),
    ]
    spec["target_percent"] = 99
    await told(shop, calls("cart", 100))
    assert await codes() == [("no_receiver", "spec.receivers")]
    assert b'meshway_alerts{state="firing",severity="critical"} 0' in (await shop.call("GET", "/metrics")).body


async def test_a_star_is_an_alert_for_each_value_and_others_are_left_alone(shop: RunningRegistry) -> None:
    await write(shop, "alerts", "slow", EVERY | {"query": "service=* p95 > 300ms and service=* rate > 1/m"})
    await told(shop, calls("cart", 100, seconds=0.5))
    await told(shop, calls("pay", 100, seconds=0.1))
    await shop.core.watching.alerts.evaluator.turn()
    assert [each["labels"]["service"] for each in await alerts(shop) if each["name"] == "slow"] == ["cart"]


async def test_values_are_divided_and_narrowed_by_version_route_and_zone(shop: RunningRegistry) -> None:
    queries = {
        "steep": ("service=cart p99 / p50 > 3", False),
        "of-v1": ("service=cart version=v1 error_ratio > 2 %", True),
        "of-v2": ("service=cart version=v2 error_ratio > 2 %", False),
        "of-a": ("zone=a rate > 1/m", True),
        "by-route": ("route=cart error_ratio > 2 %", True),
        "not-route": ("route!=cart error_ratio > 2 %", False),
        "by-edge": ("source=edge error_ratio > 2 %", True),
        "limited": ("service=cart limited_ratio >= 5 %", True),
        "refused": ("service=cart refused_ratio > 0", False),
    }
    for name, (query, _) in queries.items():
        await write(shop, "alerts", name, EVERY | {"query": query})
    await told(shop, calls("cart", 100, failed=5, flag="RL"))
    found = await look(shop)
    assert {name: name in found for name in queries} == {name: fires for name, (_, fires) in queries.items()}


@pytest.mark.proves(
    "Objective.target", "ObjectiveTarget.service", "ObjectiveTarget.route", "ObjectiveTarget.rule",
    "Objective.indicator", "Indicator.availability", "Availability.bad", "Indicator.latency", "Latency.under",
    "Objective.target_percent", "Objective.minimum_requests", "Objective.window",
)  # fmt: skip
async def test_a_budget_is_spent_by_what_the_objective_calls_bad(shop: RunningRegistry) -> None:
    rules = [{"name": "all", "destinations": [{"service": "cart"}]}, {"name": "none", "respond": {"status": 204}}]
    await write(shop, "routes", "cart", {"hosts": ["cart.example"], "rules": rules})
    available: dict[str, Any] = {"target": {"service": "cart"}, "indicator": {"availability": {}}, "target_percent": 95}
    slow = {"latency": {"under": "300ms"}}
    objectives = {
        "spent": (available, 0.2),
        "of-route": (available | {"target": {"route": "cart"}}, 0.2),
        "of-rule": (available | {"target": {"route": "cart", "rule": "all"}}, 0.2),
        "of-none": (available | {"target": {"route": "cart", "rule": "none"}}, None),
        "of-pay": (available | {"target": {"service": "pay"}}, None),
        "strict": (available | {"target_percent": 99}, -3.0),
        "only-uh": (available | {"indicator": {"availability": {"bad": ["UH"]}}}, 1.0),
        "only-uf": (available | {"indicator": {"availability": {"bad": ["UF"]}}}, 0.2),
        "fast": (available | {"indicator": slow}, 1.0),
        "faster": (available | {"indicator": {"latency": {"under": "50ms"}}, "target_percent": 50}, -1.0),
        "short": (available | {"window": "24h", "minimum_requests": 101}, 0.2),
    }
    for name, (spec, _) in objectives.items():
        await write(shop, "objectives", name, spec)
    await told(shop, calls("cart", 100, failed=4, flag="UF"))
    items = (await shop.call("GET", "/v1/objectives?namespace=shop")).json["items"]
    left = {each["name"]: each["budget"]["left"] for each in items}
    assert left == {name: share if share is None else pytest.approx(share) for name, (_, share) in objectives.items()}
    found = await look(shop)
    # 4 % of bad calls burn a budget of 1 % four times too fast: above 3 and 1, below 14.4 and 6.
    strict = [each for each in await alerts(shop) if each["name"] == "strict"]
    assert sorted(each["labels"]["window"] for each in strict) == ["24h", "72h"]
    assert "short" not in found, "101 calls were asked for"
    signals = (await shop.call("GET", "/v1/insight/services?namespace=shop")).json["items"]
    assert {each["name"]: each.get("budget_left") for each in signals} == {"cart": pytest.approx(-3.0), "pay": None}


@pytest.mark.proves(
    "Objective.burn", "BurnWindow.budget_percent", "BurnWindow.long", "BurnWindow.short", "BurnWindow.severity"
)
async def test_people_are_told_at_the_pace_that_is_written(shop: RunningRegistry) -> None:
    line = {"budget_percent": 1, "long": "1h", "short": "5m", "severity": "info"}
    of: dict[str, Any] = {"target": {"service": "cart"}, "indicator": {"availability": {}}, "target_percent": 90}
    # 720 h: 1 % in an hour is a pace of 7.2, 0.1 % of 0.72; within 2 h of 0.36. 5 % of bad calls are a pace of 0.5.
    await write(shop, "objectives", "slowly", of | {"burn": [line]})
    await write(shop, "objectives", "at-once", of | {"burn": [line | {"budget_percent": 0.05}]})
    await write(shop, "objectives", "longer", of | {"burn": [line | {"budget_percent": 0.1, "long": "2h"}]})
    await write(
        shop, "objectives", "past", of | {"burn": [line | {"budget_percent": 0.1, "long": "2h", "short": "1m"}]}
    )
    await told(shop, calls("cart", 200, failed=10))
    found = await look(shop)
    assert {"slowly", "at-once", "longer", "past"} & set(found) == {"at-once", "longer", "past"}
    assert (found["at-once"]["severity"], found["at-once"]["labels"]["window"]) == ("info", "1h")
    shop.core.watching.insight.reading.wall = lambda: time.time() + 200.0
    clock = Moved(shop)
    clock.advance(200.0)
    after = await look(shop)
    assert {"at-once", "longer", "past"} & set(after) == {"at-once", "longer"}, "for a minute nothing was bad"


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_registry_that_starts_again_goes_on_with_the_same_alerts(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = {} if kind == "sqlite" else {"database_url": request.getfixturevalue("database_url")}
    rule = EVERY | {"query": "service=cart instances_passing < 1"}
    async with running_registry(tmp_path, **settings) as registry:
        await registry.call("PUT", "/v1/namespaces/shop/services/cart/instances/cart-1", {"port": 9000})
        await write(registry, "alerts", "gone", rule)
        await write(registry, "alerts", "late", rule | {"for": "1h"})
        await status(registry, "cart", "maintenance")
        before = await look(registry)
    async with running_registry(tmp_path, **settings) as registry:
        assert {each["name"]: each for each in await alerts(registry)} == before, "also before the first turn"
        again = await look(registry)
        for name in ("gone", "late"):
            assert [again[name][field] for field in ("id", "state", "active_at")] == [
                before[name][field] for field in ("id", "state", "active_at")
            ]
        assert again["gone"]["fired_at"] == before["gone"]["fired_at"]
        await status(registry, "cart", "passing")
        assert not {"gone", "late"} & set(await look(registry))
        assert [each["id"] for each in await alerts(registry, "?state=resolved&namespace=shop")] == [
            before["gone"]["id"]
        ]


async def test_what_cannot_be_written_is_no_transition_and_comes_with_the_next_turn(
    shop: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(shop, "alerts", "gone", EVERY | {"query": "service=cart instances_passing < 1"})
    await status(shop, "cart", "maintenance")
    told: list[str] = []

    def also(moved: Sequence[AlertState]) -> list[Step]:
        told.extend(each.name for each in moved)
        return []

    shop.core.watching.alerts.evaluator.also.append(also)
    await shop.core.watching.alerts.evaluator.turn()
    await status(shop, "cart", "passing")

    do = shop.core.store.do

    async def full(steps: Sequence[Step]) -> list[list[StoreRow]]:
        if any("state" in step.values for step in steps):
            raise StoreUnavailable("disk full")
        return await do(steps)

    with monkeypatch.context() as patched:
        patched.setattr(shop.core.store, "do", full)
        with pytest.raises(StoreUnavailable):
            await shop.core.watching.alerts.evaluator.turn()
    assert [each["state"] for each in await alerts(shop) if each["name"] == "gone"] == ["firing"]
    assert "gone" not in await look(shop)
    assert [name for name in told if name == "gone"] == ["gone"] * 3, "asked again for what was not written"


async def test_what_was_written_though_the_store_did_not_say_so_is_one_alert(
    shop: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection to the database broke behind the commit: a second alert beside the first would never be over."""
    do = shop.core.store.do

    async def lost(steps: Sequence[Step]) -> list[list[StoreRow]]:
        rows = await do(steps)
        if any("state" in step.values for step in steps):
            raise StoreUnavailable("the connection is gone")
        return rows

    await write(shop, "alerts", "failing", EVERY | {"query": "service=cart error_ratio > 2 %"})
    await told(shop, calls("cart", 100, failed=50))
    with monkeypatch.context() as patched:
        patched.setattr(shop.core.store, "do", lost)
        with pytest.raises(StoreUnavailable):
            await shop.core.watching.alerts.evaluator.turn()
    assert (await look(shop))["failing"]["state"] == "firing"
    assert len([each for each in await alerts(shop) if each["name"] == "failing"]) == 1


async def test_a_silence_covers_until_it_is_ended_and_is_in_the_audit_log(shop: RunningRegistry) -> None:
    await write(shop, "alerts", "there", EVERY | {"query": "service=* instances_passing >= 1"})
    await look(shop)
    body = {
        "matchers": [{"name": "service", "value": "cart"}],
        "until": "2h",
        "reason": "is moved",
        "namespace": "shop",
    }
    made = await shop.call("POST", "/v1/silences", body)
    assert made.status == 201
    silenced = await alerts(shop, "?state=silenced")
    assert [(each["labels"]["service"], each["silenced_by"]) for each in silenced] == [("cart", [made.json["id"]])]
    assert (await shop.call("DELETE", f"/v1/silences/{made.json['id']}")).status == 204
    assert await alerts(shop, "?state=silenced") == []
    rows = (await shop.call("GET", "/v1/audit")).json["items"]
    noted = [change for row in rows for change in row["detail"].get("changes", []) if "silence" in change]
    assert sorted(change["op"] for change in noted) == ["create", "end"]
    assert {change["matchers"] for change in noted} == {"service=cart"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"until": "721h"}, "out_of_bounds"),
        ({"until": "2020-01-01T00:00:00Z"}, "out_of_bounds"),
        ({"until": "soon"}, "wrong_type"),
        ({"matchers": []}, "out_of_bounds"),
        ({"reason": ""}, "out_of_bounds"),
        ({"matchers": [{"name": "a", "value": "b", "op": "~"}]}, "out_of_bounds"),
        ({"matchers": [{"name": "a", "value": "b" * 257}]}, "out_of_bounds"),
    ],
)
async def test_a_silence_without_end_reason_or_matchers_is_refused(
    shop: RunningRegistry, change: dict[str, Any], code: str
) -> None:
    body = {"matchers": [{"name": "service", "value": "cart"}], "until": "720h", "reason": "x"} | change
    answer = await shop.call("POST", "/v1/silences", body)
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, code)


async def test_there_are_only_so_many_silences_at_once(shop: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences, "MOST", 2)
    body = {"matchers": [{"name": "service", "value": "cart"}], "until": "2h", "reason": "x"}
    made = [await shop.call("POST", "/v1/silences", body) for _ in range(3)]
    assert [each.status for each in made] == [201, 201, 409]
    assert made[2].json["code"] == "too_many_silences"
    assert (await shop.call("DELETE", f"/v1/silences/{made[0].json['id']}")).status == 204
    assert (await shop.call("POST", "/v1/silences", body)).status == 201


async def test_alerts_of_a_namespace_are_for_those_who_may_read_it(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        admin = await bearer(registry, "root", "admin")
        of_shop = await bearer(registry, "v", "viewer@shop")
        operator = await bearer(registry, "o", "operator@shop")
        for namespace in ("shop", "bank"):
            path = f"/v1/namespaces/{namespace}/services/cart/instances/cart-1"
            assert (await registry.call("PUT", path, {"port": 9000}, admin)).status == 201
            assert (await registry.call("PATCH", path, {"status": "maintenance"}, admin)).status == 200
        clock = Moved(registry)
        await registry.core.watching.alerts.evaluator.turn()
        clock.advance(15.0)
        await registry.core.watching.alerts.evaluator.turn()
        seen = await alerts(registry, "", of_shop)
        assert [(each["name"], each["labels"]["namespace"]) for each in seen] == [("builtin-no-instances", "shop")]
        assert len(await alerts(registry, "", admin)) == 2
        assert (await registry.call("GET", "/v1/alerts?namespace=bank", None, of_shop)).status == 404
        rule = {"spec": {"query": "service=cart rate > 1/s"}}
        for namespace in ("shop", "bank", "mesh"):
            path = f"/v1/namespaces/{namespace}/alerts/own-{namespace}"
            assert (await registry.call("PUT", path, rule, admin)).status == 201
        rules = (await registry.call("GET", "/v1/alerts/rules", None, of_shop)).json["items"]
        assert {each["name"] for each in rules} == {*BUILT_IN, "own-shop"}
        assert (await registry.call("GET", "/v1/alerts/rules?namespace=bank", None, of_shop)).status == 404
        body = {"matchers": [{"name": "service", "value": "cart"}], "until": "1h", "reason": "x"}
        assert (await registry.call("POST", "/v1/silences", body, operator)).status == 403, "that would be of all"
        assert (await registry.call("POST", "/v1/silences", body | {"namespace": "bank"}, operator)).status == 404
        assert (await registry.call("POST", "/v1/silences", body | {"namespace": "shop"}, of_shop)).status == 403
        made = await registry.call("POST", "/v1/silences", body | {"namespace": "shop"}, operator)
        assert made.status == 201
        of_bank = (await registry.call("POST", "/v1/silences", body | {"namespace": "bank"}, admin)).json["id"]
        assert (await registry.call("DELETE", f"/v1/silences/{of_bank}", None, operator)).status == 404
        items = (await registry.call("GET", "/v1/silences", None, of_shop)).json["items"]
        assert [each["id"] for each in items] == [made.json["id"]]


async def test_what_is_built_in_is_on_and_a_document_of_its_name_changes_what_it_says(shop: RunningRegistry) -> None:
    clock = Moved(shop)
    heard(shop)
    report = {
        "node": "gw-1",
        "revision": 10**6,
        "open_breakers": ["shop/cart#v1"],
        "ejected": ["shop/cart/cart-1"],
        "mass_removal_guard": 3,
        "refused": [{"kind": "Route", "namespace": "shop", "name": "r", "reason": "x"}],
        "in_flight": {"shop/cart": 7},
        "certificates": [certificate("web", of_days=90.0), certificate("short", of_days=1.1)],
    }
    await write(shop, "alerts", "builtin-outlier-ejected", {"severity": "info", "for": "0s"}, "mesh")
    await write(shop, "alerts", "builtin-document-refused", {"enabled": False}, "mesh")
    await write(shop, "alerts", "busy", EVERY | {"query": "service=cart in_flight > 5"})
    assert (await shop.call("POST", "/v1/reports", report)).status == 204
    found = await look(shop)
    assert (found["builtin-outlier-ejected"]["state"], found["builtin-outlier-ejected"]["severity"]) == (
        "firing",
        "info",
    )
    assert found["busy"]["value"] == 7.0
    assert found["builtin-breaker-open"]["state"] == "pending"
    clock.advance(15.0)
    assert (await shop.call("POST", "/v1/reports", report)).status == 204
    found = await look(shop)
    assert {name for name, each in found.items() if each["state"] == "firing"} == {
        "builtin-outlier-ejected",
        "builtin-breaker-open",
        "builtin-removals-held",
        "builtin-certificate-expiring",
        "busy",
    }
    assert found["builtin-outlier-ejected"]["summary"] == "1 instances of cart are ejected (shop/cart/cart-1)"
    expiring = "1 certificates of shop are about to expire (shop/web)"
    assert found["builtin-certificate-expiring"]["summary"] == expiring, "the other one has most of its life before it"
    well = {"node": "gw-1", "revision": 10**6}
    assert (await shop.call("POST", "/v1/reports", well)).status == 204
    clock.advance(60.0)
    assert await look(shop) == {}


async def test_rules_are_told_with_what_is_built_in_and_what_a_document_makes_of_it(shop: RunningRegistry) -> None:
    await write(shop, "receivers", "default", {"webhook": {"url": "http://127.0.0.1:9/"}}, "mesh")
    await write(shop, "alerts", "builtin-errors", {"severity": "info", "enabled": False}, "mesh")
    await write(shop, "alerts", "own", {"query": "service=cart rate > 1/s", "for": "90s"})

    async def rules(query: str = "") -> dict[str, Any]:
        answer = await shop.call("GET", f"/v1/alerts/rules{query}")
        assert answer.status == 200, answer.body
        return {each["name"]: each for each in answer.json["items"]}

    found = await rules()
    assert found.keys() == {*BUILT_IN, "own"}
    assert {name for name, each in found.items() if each["builtin"]} == set(BUILT_IN)
    assert found["builtin-errors"] == {
        "namespace": "mesh",
        "name": "builtin-errors",
        "builtin": True,
        "written": True,
        "enabled": False,
        "query": "service=* error_ratio > 10 %",
        "for_s": 0.0,
        "severity": "info",
        "summary": "${value} of the calls of ${service} fail",
        "receivers": ["mesh/default"],
    }
    assert [found["own"][name] for name in ("builtin", "written", "enabled", "for_s")] == [False, True, True, 90.0]
    assert not found["builtin-breaker-open"]["written"]
    assert set(await rules("?namespace=shop")) == {"own"}


async def test_a_registry_that_lost_its_instances_is_told_while_gateways_call_them(shop: RunningRegistry) -> None:
    clock = Moved(shop)
    report = {"node": "gw-1", "revision": 10**6, "mass_removal_guard": 3}
    assert not shop.core.watching.alerts.presence.is_settled
    for _ in range(2):
        assert (await shop.call("POST", "/v1/reports", report)).status == 204
        found = await look(shop)
        clock.advance(10.0)
    assert found["builtin-removals-held"]["state"] == "firing"
    summary = "gateway gw-1 calls 3 instances that vanished at once"
    assert found["builtin-removals-held"]["summary"] == summary


async def test_who_comes_back_for_moments_between_looks_is_told_as_ejected(shop: RunningRegistry) -> None:
    clock = Moved(shop)
    heard(shop)
    away, back = ({"node": "gw-1", "revision": 10**6, "ejected": names} for names in (["shop/cart/cart-1"], []))
    states = []
    for reports in ([away], [away, back], [away]):
        for report in reports:
            assert (await shop.call("POST", "/v1/reports", report)).status == 204
        states.append((await look(shop))["builtin-outlier-ejected"]["state"])
        clock.advance(10.0)
    assert states == ["pending", "pending", "firing"]


async def test_a_receiver_that_is_new_is_told_of_what_fires_with_the_next_look(shop: RunningRegistry) -> None:
    await write(shop, "alerts", "gone", EVERY | {"query": "service=cart instances_passing >= 1"}, "mesh")
    assert (await look(shop))["gone"].get("receivers", []) == []
    await write(shop, "receivers", "default", {"webhook": {"url": "http://127.0.0.1:9/"}}, "mesh")
    await look(shop)
    ((*rows,),) = await shop.core.store.do([live_states()])
    (kept,) = [state for state in map(state_of, (value for (value,) in rows)) if state.name == "gone"]
    assert kept.receivers == ("mesh/default",), "in the store, where who sends reads it"


def certificate(name: str, *, of_days: float) -> dict[str, Any]:
    """Over in a day, as a gateway reports it."""
    end = time.time() + 86_400.0
    begin = end - of_days * 86_400.0
    return {"namespace": "shop", "name": name, "fingerprint": "f", "not_before": begin, "not_after": end}


async def test_a_gateway_that_says_nothing_and_one_that_is_behind_are_told(shop: RunningRegistry) -> None:
    clock = Moved(shop)
    heard(shop)
    head = shop.core.view.revision
    now = [shop.gateways._now()]
    shop.gateways._now = lambda: now[0]
    shop.core.watching.alerts.presence.clock = lambda: now[0] + 1_000.0
    for node, revision in (("gw-1", head), ("gw-2", head), ("gw-3", head)):
        assert (await shop.call("POST", "/v1/reports", {"node": node, "revision": revision})).status == 204
    assert await look(shop) == {}
    await write(shop, "routes", "r", {"hosts": ["r.example"], "rules": [{"respond": {"status": 204}}]})
    for _ in range(6):
        now[0] += 10.0
        clock.advance(10.0)
        for node, revision in (("gw-1", shop.core.view.revision), ("gw-2", head)):
            assert (await shop.call("POST", "/v1/reports", {"node": node, "revision": revision})).status == 204
        found = await shop_gateways(shop)
    assert found == {"builtin-gateway-outdated": ["gw-2"], "builtin-gateway-silent": ["gw-3"]}


async def shop_gateways(registry: RunningRegistry) -> dict[str, list[str]]:
    await registry.core.watching.alerts.evaluator.turn()
    found: dict[str, list[str]] = {}
    for each in await alerts(registry, "?state=firing"):
        found.setdefault(each["name"], []).append(each["labels"]["gateway"])
    return found


def heard(registry: RunningRegistry) -> None:
    """As if it had run for long: all gateways have had the time to report."""
    registry.core.watching.alerts.presence.begun -= 100.0


async def test_of_two_registries_one_looks_and_the_other_goes_on_with_what_it_left(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    shared = {"database_url": database_url, "redis_url": valkey.url}
    async with running_registry(tmp_path / "b", **shared) as second:
        async with running_registry(tmp_path / "a", **shared) as first:
            assert await first.core.store.lead(LEAD)
            assert not await second.core.store.lead(LEAD)
            await first.call("PUT", "/v1/namespaces/shop/services/cart/instances/cart-1", {"port": 9000})
            await write(first, "alerts", "there", EVERY | {"query": "service=cart instances_passing >= 1"})
            before = (await look(first))["there"]
            told_there = {each["name"]: each for each in await alerts(second)}
            assert told_there["there"] == before, "told by the one that does not look"
        async with asyncio.timeout(30.0):
            while not await second.core.store.lead(LEAD):
                await asyncio.sleep(0.05)
        await until(lambda: second.core.view.document(("Alert", "shop", "there")) is not None)
        after = (await look(second))["there"]
        assert [after[name] for name in ("id", "fired_at")] == [before[name] for name in ("id", "fired_at")]

"""Fields of a Rollout: each in two values, between which the calls of its Route go to other places.

All of them run in one registry and one time: begun, looked at for a step, and judged by the same turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from meshway.histogram import bucket_of
from meshway.model.route import Route
from meshway.telemetry import Numbers, Row
from registry.core import Core
from tests.integration.registry.test_rollouts import mesh
from tests.parts.registry_bench import written

V1, V2, V3 = ({"service": "reviews", "subset": subset} for subset in ("v1", "v2", "v3"))
STEPS: Final = [{"weight_percent": 5, "hold": "10s"}, {"weight_percent": 20, "hold": "10s"}]
USUAL: Final[dict[str, Any]] = {"route": "one", "rule": "a", "stable": V1, "canary": V2, "steps": STEPS}


@dataclass
class Pair:
    """Two specs that differ in one field, and what is reported of both. failed, of_control: calls that fail, of the
    canary and of its control; seconds: how long one of the canary takes, of the control's 0.1."""

    one: dict[str, Any]
    other: dict[str, Any]
    calls: int = 4_000
    failed: int = 0
    of_control: int = 0
    seconds: float = 0.1
    fields: tuple[str, ...] = field(default=())


def proved(pair: Pair, *fields: str) -> Pair:
    """A pair and the fields that it proves."""
    pair.fields = fields
    return pair


CASES: Final = [
    proved(Pair({"route": "one"}, {"route": "two"}), "Rollout.route"),
    proved(Pair({"rule": "a"}, {"rule": "b"}), "Rollout.rule"),
    proved(Pair({"stable": V1, "canary": V2}, {"stable": V2, "canary": V1}), "Rollout.stable"),
    proved(Pair({"canary": V2}, {"canary": V3}), "Rollout.canary", "RolloutVersion.subset"),
    proved(Pair({"canary": V2}, {"canary": {"service": "ratings"}}), "RolloutVersion.service"),
    proved(Pair({"canary": V2}, {"canary": {**V2, "namespace": "elsewhere"}}), "RolloutVersion.namespace"),
    proved(Pair({"canary": V2}, {"canary": {**V2, "port": "more"}}), "RolloutVersion.port"),
    proved(Pair({"steps": STEPS[:1]}, {"steps": STEPS}), "Rollout.steps"),
    proved(
        Pair({"steps": STEPS}, {"steps": [STEPS[0], {"weight_percent": 50, "hold": "10s"}]}),
        "RolloutStep.weight_percent",
    ),
    proved(Pair({"steps": STEPS}, {"steps": [{**STEPS[0], "hold": "10m"}, STEPS[1]]}), "RolloutStep.hold"),
    proved(Pair({"control": "same_size"}, {"control": "none"}), "Rollout.control"),
    proved(
        Pair({"judge": {"failure_percent_increase": 1}}, {"judge": {"failure_percent_increase": 20}}, failed=300),
        "Rollout.judge",
        "Judge.failure_percent_increase",
    ),
    proved(
        Pair({"judge": {"p99_increase_percent": 20}}, {"judge": {"p99_increase_percent": 300}}, seconds=0.2),
        "Judge.p99_increase_percent",
    ),
    proved(
        Pair({"judge": {"minimum_requests": 50}}, {"judge": {"minimum_requests": 200}}, calls=100),
        "Judge.minimum_requests",
    ),
    proved(
        Pair({"judge": {"confidence_percent": 80}}, {"judge": {"confidence_percent": 99.9}}, failed=110, of_control=20),
        "Judge.confidence_percent",
    ),
    proved(Pair({"on_failure": "abort"}, {"on_failure": "hold"}, failed=300), "Rollout.on_failure"),
    proved(
        Pair({"steps": STEPS[:1], "auto_promote": True}, {"steps": STEPS[:1], "auto_promote": False}),
        "Rollout.auto_promote",
    ),
]


def test_cases_differ_in_what_they_prove() -> None:
    assert all(pair.one != pair.other for pair in CASES)


async def test_a_field_decides_where_the_calls_of_a_route_go(tmp_path: Path) -> None:
    async with mesh(tmp_path) as running:
        specs = {
            f"{side}-{number}": (USUAL | spec, pair)
            for number, pair in enumerate(CASES)
            for side, spec in (("one", pair.one), ("other", pair.other))
        }
        wanted = _services("elsewhere")
        for namespace, (spec, _) in specs.items():
            wanted += _documents(namespace, spec)
        await running.core.documents.apply([(one.document, one.spec) for one in wanted], (), by="ann")
        await running.turn(1)
        running.clock.now_s += 12
        now, rows = running.clock(), []
        for namespace, (spec, pair) in specs.items():
            of = f"{namespace}/{spec['route']}", spec["rule"]
            for track, failed, seconds in (
                ("canary", pair.failed, pair.seconds),
                ("control", pair.of_control, 0.1),
                ("stable", pair.of_control, 0.1),
            ):
                rows.append(Row((*of, track), pair.calls, failed, buckets={bucket_of(seconds): pair.calls}))
        told = Numbers(node="g", boot="boot-of-g", sequence=1, begun=now - 1, ended=now, tracks=tuple(rows))
        await running.core.watching.insight.ingest.take(told)
        await running.turn(16)
        same = [
            pair.fields
            for number, pair in enumerate(CASES)
            if _places(running.core, f"one-{number}") == _places(running.core, f"other-{number}")
        ]
        assert not same, "a field that makes no difference"
        assert all(_places(running.core, namespace) for namespace in specs), "a Rollout that did nothing"


def _services(namespace: str) -> list[Any]:
    subsets = [{"name": name, "match": {"version": name}} for name in ("v1", "v2", "v3")]
    ports = [{"name": "http"}, {"name": "more", "port": 81}]
    return [
        written("Service", "reviews", {"subsets": subsets, "ports": ports}, namespace),
        written("Service", "ratings", {}, namespace),
    ]


def _documents(namespace: str, spec: dict[str, Any]) -> list[Any]:
    """Two Routes of two rules, each of which leads to both versions alike."""
    destinations = [spec["stable"], spec["canary"]]
    rules = [
        {"name": name, "match": [{"path": {"prefix": f"/{name}"}}], "destinations": destinations} for name in ("a", "b")
    ]
    routes = [
        written("Route", name, {"hosts": [f"{name}.{namespace}.example"], "rules": rules}, namespace)
        for name in ("one", "two")
    ]
    return [*_services(namespace), *routes, written("Rollout", "rollout", spec, namespace)]


def _places(core: Core, namespace: str) -> dict[tuple[str, str | None], list[tuple[Any, ...]]]:
    """Where the calls of each rule go, and how many of them; but for rules that are as they were."""
    found = {}
    for name in ("one", "two"):
        row = core.view.document(("Route", namespace, name))
        assert row is not None
        assert isinstance(row.spec, Route)
        for rule in row.spec.rules:
            if [each.weight for each in rule.destinations] != [1, 1]:
                found[(name, rule.name)] = [
                    (each.namespace, each.service, each.subset, each.port, each.weight) for each in rule.destinations
                ]
    return found

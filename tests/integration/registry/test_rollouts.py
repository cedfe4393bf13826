"""Rollouts at running registries: from step to step by reported calls, over both stores, replicas and kills."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Numbers, Row
from registry.core import Core
from registry.documents.document_key import Key
from registry.running import open_core
from registry.settings import RegistrySettings
from tests.parts.clock import ManualClock
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry
from tests.parts.registry_bench import written
from tests.parts.registry_tokens import bearer
from tests.parts.valkey import Valkey

BEGIN = 1_800_000_000.0
KEY = ("Rollout", "shop", "reviews-v2")
SUBSETS = [{"name": name, "match": {"version": name}} for name in ("v1", "v2")]
DESTINATIONS = [
    {"service": "reviews", "subset": "v1", "weight": 100},
    {"service": "reviews", "subset": "v2", "weight": 0},
]
SPEC: dict[str, Any] = {
    "route": "reviews",
    "rule": "all",
    "stable": {"service": "reviews", "subset": "v1"},
    "canary": {"service": "reviews", "subset": "v2"},
    "steps": [{"weight_percent": weight, "hold": "10s"} for weight in (5, 20, 50)],
}


def documents(**changed: Any) -> list[Any]:
    return [
        written("Service", "reviews", {"subsets": SUBSETS}, "shop"),
        written("Route", "reviews", {"rules": [{"name": "all", "destinations": DESTINATIONS}]}, "shop"),
        written("Rollout", "reviews-v2", SPEC | changed, "shop"),
    ]


def body(**changed: Any) -> dict[str, Any]:
    return {"documents": [json.loads(_encoded(one)) for one in documents(**changed)]}


def _encoded(one: Any) -> str:
    document = one.document
    metadata = {"name": document.metadata.name, "namespace": document.metadata.namespace}
    return json.dumps({"apiVersion": "meshway/v1", "kind": document.kind, "metadata": metadata, "spec": document.spec})


class Mesh:
    """A registry, or several, in a time that the test moves, and calls as a gateway reports them."""

    def __init__(self, cores: list[Core], clock: ManualClock) -> None:
        self.cores, self.clock, self._sequence = cores, clock, 0

    @property
    def core(self) -> Core:
        return self.cores[0]

    async def report(self, calls: int, failing: float = 0.0, of_control: int = 0) -> None:
        """So many of the canary and of its control; of the canary's a share fails, of the control's so many."""
        self._sequence += 1
        rows = [
            Row(("shop/reviews", "all", track), calls, failed, buckets={bucket_of(0.1): calls})
            for track, failed in (("canary", round(calls * failing)), ("control", of_control), ("stable", 0))
        ]
        now = self.clock()
        told = Numbers(
            node="g", boot="boot-of-g", sequence=self._sequence, begun=now - 1, ended=now, tracks=tuple(rows)
        )
        await self.core.watching.insight.ingest.take(told)

    async def turn(self, seconds: float) -> None:
        """All registries that lead, after so much time."""
        self.clock.now_s += seconds
        await asyncio.gather(*(core.watching.rollouts.turn() for core in self.cores))

    def state(self, core: Core | None = None) -> Any:
        core = core or self.core
        row = core.view.document(KEY)
        assert row is not None
        return core.watching.rollouts.state(row)

    def weights(self) -> list[int]:
        row = self.core.view.document(("Route", "shop", "reviews"))
        assert row is not None
        return [each.weight for each in row.spec.rules[0].destinations]  # type: ignore[union-attr]


@asynccontextmanager
async def mesh(folder: Path, count: int = 1, **settings: Any) -> AsyncIterator[Mesh]:
    clock = ManualClock(BEGIN)
    async with AsyncExitStack() as stack:
        cores = [
            await stack.enter_async_context(
                open_core(RegistrySettings(data_dir=folder, **settings), wall=clock, die=lambda: None)
            )
            for _ in range(count)
        ]
        yield Mesh(cores, clock)


@pytest.fixture(params=["sqlite", "postgres"])
async def running(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mesh]:
    url = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("database_url")}
    async with mesh(tmp_path, **url) as found:
        yield found


async def test_a_good_canary_is_promoted_step_by_step(running: Mesh) -> None:
    await running.core.documents.apply([(one.document, one.spec) for one in documents()], (), by="ann")
    seen = []
    await running.turn(1)
    while not running.state().is_over:
        seen.append(running.weights())
        await running.turn(9.5)
        await running.report(1_000, failing=0.002)
        await running.turn(16)
    assert seen == [[90, 5, 5], [60, 20, 20], [0, 50, 50]]
    assert (running.weights(), running.state().phase) == ([0, 100], "promoted")
    history = await running.core.documents.revisions()
    assert [entry.by for entry in history.items] == ["rollout/shop/reviews-v2"] * 4 + ["ann"]


async def test_a_bad_canary_is_sent_nothing_any_more(running: Mesh) -> None:
    await running.core.documents.apply([(one.document, one.spec) for one in documents()], (), by="ann")
    await running.turn(1)
    await running.turn(12)
    await running.report(150, failing=1.0)
    await running.turn(1)
    assert running.state().phase == "running", "150 calls decide nothing"
    await running.report(1_000, failing=0.06)
    await running.turn(1)
    state = running.state()
    assert (state.phase, running.weights()) == ("aborted", [100, 0])
    assert "failures" in state.reason
    assert state.passed[0].measures.canary.calls == 1_150


async def test_too_few_calls_make_a_step_longer(running: Mesh) -> None:
    await running.core.documents.apply([(one.document, one.spec) for one in documents()], (), by="ann")
    await running.turn(1)
    await running.turn(12)
    await running.report(199)
    for _ in range(4):
        await running.turn(100)
    assert (running.state().step, running.weights()) == (0, [90, 5, 5])
    await running.report(1)
    await running.turn(1)
    assert (running.state().step, running.weights()) == (1, [60, 20, 20])


async def test_numbers_that_cannot_be_judged_keep_no_other_rollout_from_going_on(tmp_path: Path) -> None:
    """A gateway tells of more failures than calls."""
    rule = {"name": "all", "destinations": DESTINATIONS}
    beside = [
        written("Route", "beside", {"hosts": ["beside.example"], "rules": [rule]}, "shop"),
        written("Rollout", "z-beside", SPEC | {"route": "beside"}, "shop"),
    ]
    async with mesh(tmp_path) as running:
        core = running.core
        await core.documents.apply([(one.document, one.spec) for one in documents()], (), by="ann")
        await running.turn(1)
        await running.turn(12)
        await running.report(1_000, failing=6.0)
        await core.documents.apply([(one.document, one.spec) for one in beside], (), by="ann")
        await running.turn(1)
        assert core.watching.rollouts.troubles[KEY].startswith("it cannot be judged")
        assert (running.state().phase, running.weights()) == ("running", [90, 5, 5])
        row = core.view.document(("Rollout", "shop", "z-beside"))
        assert row is not None
        assert core.watching.rollouts.state(row) is not None, "it has begun"


# Of 20 runs each at 200 calls a second: at most so many may end as they should not.
RUNS, WRONG = 20, 1
RATE_PER_S, MOST_BAD_CALLS = 200, 1_000


@pytest.mark.soak
@pytest.mark.parametrize(("failing", "phase"), [(0.025, "aborted"), (0.005, "promoted")])
async def test_two_points_more_failures_are_taken_back_and_none_more_are_promoted(
    tmp_path: Path, failing: float, phase: str
) -> None:
    """0.5 % of the stable version's calls fail. Every report is a draw."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, wrong, most_bad = random.Random(seed), 0, 0
    steps = [{"weight_percent": weight, "hold": "5m"} for weight in (5, 20, 50)]
    async with mesh(tmp_path) as running:
        core = running.core
        for run in range(RUNS):
            await core.documents.apply([(one.document, one.spec) for one in documents(steps=steps)], (), by="ann")
            await running.turn(1)
            bad = 0
            while not running.state().is_over:
                calls = round(20 * RATE_PER_S * running.state().weight_percent / 100)
                failed, of_control = (sum(chance.random() < share for _ in range(calls)) for share in (failing, 0.005))
                await running.report(calls, failed / calls, of_control)
                bad += failed
                await running.turn(20)
            wrong += running.state().phase != phase
            most_bad = max(most_bad, bad)
            await core.documents.apply((), [Key(*KEY)], by="ann")
            assert wrong <= WRONG, f"{wrong} wrong in {run + 1} runs"
            await core.documents.apply([(one.document, one.spec) for one in documents()[:2]], (), by="ann")
    print(wrong, "wrong, at most", most_bad, "failed calls of the canary in a run")
    assert failing < 0.01 or most_bad < MOST_BAD_CALLS


async def test_several_registries_do_each_step_once(database_url: str, valkey: Valkey, tmp_path: Path) -> None:
    async with mesh(tmp_path, 2, database_url=database_url, redis_url=valkey.url) as both:
        await both.core.documents.apply([(one.document, one.spec) for one in documents()], (), by="ann")
        await until(lambda: len({core.view.revision for core in both.cores}) == 1)
        await both.turn(1)  # both believe that they lead
        await until(lambda: both.state(both.cores[1]) is not None)
        await both.turn(12)
        await both.report(1_000)
        await both.turn(16)
        await until(lambda: both.state(both.cores[1]).step == 1)
        told = [event.what for event in both.state(both.cores[1]).events]
        assert told == ["started", "step"]


ACTS = [
    ("promote", "promoted", [0, 100]),
    ("abort", "aborted", [100, 0]),
    ("hold", "holding", [90, 5, 5]),
    ("skip", "running", [60, 20, 20]),
]


async def _started(registry: RunningRegistry) -> str:
    answer = await registry.call("POST", "/v1/apply", body())
    assert answer.status == 200, answer.body
    path = "/v1/rollouts/shop/reviews-v2"
    await registry.core.watching.rollouts.turn()
    return path


@pytest.mark.parametrize(("action", "phase", "weights"), ACTS)
async def test_people_steer_it(registry: RunningRegistry, action: str, phase: str, weights: list[int]) -> None:
    path = await _started(registry)
    shown = await registry.call("GET", path)
    assert shown.status == 200, shown.body
    assert [step["state"] for step in shown.json["steps"]] == ["running", "ahead", "ahead"]
    assert shown.json["steps"][0]["measures"]["verdict"] == "not_enough_data"
    tag = shown.headers["etag"]
    done = await registry.call("POST", f"{path}/{action}", {"reason": "tried"}, f"If-Match: {tag}")
    assert (done.status, done.json["phase"]) == (200, phase), done.body
    event = done.json["events"][-1]
    assert (event["reason"], event["by"]) == ("tried", "loopback")
    route = await registry.call("GET", "/v1/namespaces/shop/routes/reviews")
    assert [each["weight"] for each in route.json["spec"]["rules"][0]["destinations"]] == weights
    late = await registry.call("POST", f"{path}/abort", None, f"If-Match: {tag}")
    assert late.status == 412, late.body
    (summary,) = (await registry.call("GET", "/v1/rollouts")).json["items"]
    assert (summary["name"], summary["phase"], summary["stable"]) == ("reviews-v2", phase, "shop/reviews#v1")
    (audited,) = (await registry.call("GET", "/v1/audit?limit=1")).json["items"]
    assert audited["action"] == f"POST {path}/{action}"


async def test_one_that_was_published_goes_on_where_others_must_agree_to_what_people_write(
    registry: RunningRegistry,
) -> None:
    path = await _started(registry)
    rule = await registry.call("PUT", "/v1/namespaces/mesh/namespaces/shop", {"spec": {"approvals": 1}})
    assert rule.status == 201, rule.body
    assert (await registry.call("POST", f"{path}/abort", {"reason": "tried"})).json["phase"] == "aborted"
    route = (await registry.call("GET", "/v1/namespaces/shop/routes/reviews")).json
    assert [each["weight"] for each in route["spec"]["rules"][0]["destinations"]] == [100, 0]
    by_hand = {"spec": route["spec"] | {"priority": 7}}
    refused = await registry.call("PUT", "/v1/namespaces/shop/routes/reviews", by_hand)
    assert (refused.status, refused.json["code"]) == (409, "needs_approval")


async def test_what_a_rollout_does_by_itself_is_in_the_audit_log(registry: RunningRegistry) -> None:
    await _started(registry)
    (audited,) = (await registry.call("GET", "/v1/audit?limit=1")).json["items"]
    assert (audited["principal"], audited["action"]) == ("rollout/shop/reviews-v2", "rollout begin")


async def test_its_weights_are_nobody_elses(registry: RunningRegistry) -> None:
    path = await _started(registry)
    route = {"kind": "Route", "metadata": {"name": "reviews", "namespace": "shop"}}
    route["spec"] = {"rules": [{"name": "all", "destinations": DESTINATIONS}]}
    put = await registry.call("PUT", "/v1/namespaces/shop/routes/reviews", route)
    assert (put.status, put.json["errors"][0]["code"]) == (422, "conflict"), put.body
    state = {
        "apiVersion": "meshway/v1",
        "kind": "RolloutState",
        "metadata": {"name": "reviews-v2", "namespace": "shop"},
        "spec": {},
    }
    forged = await registry.call("POST", "/v1/apply", {"documents": [state]})
    assert (forged.status, forged.json["errors"][0]["code"]) == (422, "forbidden_kind"), forged.body
    assert (await registry.call("POST", f"{path}/abort")).status == 200
    assert (await registry.call("PUT", "/v1/namespaces/shop/routes/reviews", route)).status == 200


async def test_who_may_steer_it(registry: RunningRegistry) -> None:
    path = await _started(registry)
    viewer = await bearer(registry, "viewer", "viewer@shop")
    assert (await registry.call("GET", path, None, viewer)).status == 200
    assert (await registry.call("POST", f"{path}/abort", None, viewer)).status == 403
    elsewhere = await bearer(registry, "elsewhere", "operator@bank")
    assert (await registry.call("GET", path, None, elsewhere)).status == 404
    assert (await registry.call("GET", "/v1/rollouts", None, elsewhere)).json["items"] == []
    assert (
        await registry.call("POST", f"{path}/abort", None, await bearer(registry, "operator", "operator@shop"))
    ).status == 200


async def test_one_that_is_not_there_and_one_that_is_over_are_told_so(registry: RunningRegistry) -> None:
    path = await _started(registry)
    assert (await registry.call("GET", "/v1/rollouts/shop/nothing")).status == 404
    assert (await registry.call("POST", "/v1/rollouts/shop/nothing/abort")).status == 404
    assert (await registry.call("POST", f"{path}/abort", {"why": "x"})).status == 422
    assert (await registry.call("POST", f"{path}/abort")).status == 200
    over = await registry.call("POST", f"{path}/promote")
    assert (over.status, over.json["code"]) == (409, "rollout_over")

"""Whose the weights of a rule are while a Rollout lives, and what becomes of them when it is deleted."""

from __future__ import annotations

from typing import Any

import pytest

from meshway.model.rollout_state import Measures, RolloutState
from meshway.model.route import Route
from meshway.problem import Problem
from registry.documents.document_key import Key
from registry.documents.rollouts import state_key, state_of
from registry.rollouts.writes import Ask, Turn
from tests.parts.registry_bench import Bench, written

ROLLOUT = ("Rollout", "default", "reviews-v2")
SERVICE = written(
    "Service", "reviews", {"subsets": [{"name": name, "match": {"version": name}} for name in ("v1", "v2", "v3")]}
)


def to(subset: str, weight: int = 1, **more: Any) -> dict[str, Any]:
    return {"service": "reviews", "subset": subset, "weight": weight, **more}


def route(*destinations: dict[str, Any], **rule: Any) -> Any:
    others = {"name": "others", "match": [{"path": {"prefix": "/other"}}], "destinations": [to("v1"), to("v3")]}
    return written("Route", "r", {"rules": [{"name": "all", "destinations": list(destinations), **rule}, others]})


def rollout(name: str = "reviews-v2", **changed: Any) -> Any:
    spec = {
        "route": "r",
        "rule": "all",
        "stable": {"service": "reviews", "subset": "v1"},
        "canary": {"service": "reviews", "subset": "v2"},
        "steps": [{"weight_percent": 10, "hold": "1m"}, {"weight_percent": 60, "hold": "1m"}],
    }
    return written("Rollout", name, spec | changed)


USUAL = route(to("v1", 100), to("v2", 0))


def running(**changed: Any) -> Bench:
    bench = Bench()
    bench.apply(SERVICE, USUAL, rollout(**changed))
    turn(bench, "begin")
    return bench


def turn(bench: Bench, what: Any, **guards: int) -> bool:
    row, kept = bench.view.document(ROLLOUT), bench.view.document(state_key("default", "reviews-v2"))
    assert row is not None
    state = 0 if kept is None else kept.revision
    return bench.commit(Turn(row.key, guards.get("revision", row.revision), guards.get("state", state), what))


def ask(bench: Bench, action: Any, state: int | None = None) -> int:
    return bench.commit(Ask(ROLLOUT, action, "ann", "", state, Measures()))


def weights(bench: Bench) -> list[tuple[str | None, int, str | None]]:
    row = bench.view.document(("Route", "default", "r"))
    assert row is not None
    assert isinstance(row.spec, Route)
    return [(each.subset, each.weight, each.track) for each in row.spec.rules[0].destinations]


def state(bench: Bench) -> RolloutState | None:
    row = bench.view.document(ROLLOUT)
    return None if row is None else state_of(row, bench.view.document)


def refused(bench: Bench, *documents: Any, delete: tuple[Key, ...] = ()) -> list[tuple[str, str]]:
    before = bench.view.revision
    with pytest.raises(Problem) as problem:
        bench.apply(*documents, delete=delete)
    assert bench.view.revision == before
    return [(error.path, error.code) for error in problem.value.errors]


def test_weights_and_state_are_one_revision_and_the_control_is_as_large_as_the_canary() -> None:
    bench = running()
    assert weights(bench) == [("v1", 80, "stable"), ("v1", 10, "control"), ("v2", 10, "canary")]
    one, other = (bench.view.document(key) for key in (("Route", "default", "r"), state_key("default", "reviews-v2")))
    assert one is not None
    assert other is not None
    assert one.revision == other.revision == bench.view.revision
    assert one.answer().metadata.updated_by == "rollout/default/reviews-v2"
    turn(bench, "pass")
    assert weights(bench) == [("v1", 0, "stable"), ("v1", 40, "control"), ("v2", 60, "canary")]
    turn(bench, "pass")
    assert weights(bench) == [("v1", 0, None), ("v2", 100, None)]


def test_parts_of_a_percent_and_no_control() -> None:
    bench = running(steps=[{"weight_percent": 0.25, "hold": "1m"}])
    assert weights(bench) == [("v1", 9950, "stable"), ("v1", 25, "control"), ("v2", 25, "canary")]
    bench = running(control="none")
    assert weights(bench) == [("v1", 90, "stable"), ("v2", 10, "canary")]


def test_others_must_not_touch_its_weights_and_may_change_all_the_rest() -> None:
    bench = running()
    own = [to("v1", 80, track="stable"), to("v1", 10, track="control"), to("v2", 10, track="canary")]
    assert refused(bench, USUAL) == [("spec.rules[0].destinations", "conflict")]
    assert refused(bench, route(*own[:2], to("v2", 50, track="canary"))) == [("spec.rules[0].destinations", "conflict")]
    bench.apply(route(*own, timeouts={"deadline": "2s"}))
    bench.apply(route(to("v1", 80, track="stable", response_headers={"set": {"x": "y"}}), *own[1:]))
    turn(bench, "pass")
    assert weights(bench)[2] == ("v2", 60, "canary")
    row = bench.view.document(("Route", "default", "r"))
    assert row is not None
    assert isinstance(row.spec, Route)
    assert row.spec.rules[0].destinations[0].response_headers is not None
    ask(bench, "abort")
    bench.apply(route(to("v1", 3), to("v2", 4)))
    assert weights(bench) == [("v1", 3, None), ("v2", 4, None)]


def test_before_its_first_step_the_weights_are_its_own_too() -> None:
    bench = Bench()
    bench.apply(SERVICE, USUAL, rollout())
    assert refused(bench, route(to("v1", 50), to("v2", 50))) == [("spec.rules[0].destinations", "conflict")]


def test_two_of_one_rule_are_a_conflict() -> None:
    bench = running()
    assert refused(bench, rollout("second")) == [("spec", "conflict")]
    bench.apply(rollout("beside", rule="others", canary={"service": "reviews", "subset": "v3"}))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"route": "nowhere"}, ("spec.route", "unknown_reference")),
        ({"rule": "some"}, ("spec.rule", "unknown_reference")),
        ({"canary": {"service": "reviews", "subset": "v9"}}, ("spec.canary.subset", "unknown_reference")),
        ({"canary": {"service": "reviews", "subset": "v3"}}, ("spec.canary", "unknown_reference")),
    ],
)
def test_what_it_names_must_be_there(changed: dict[str, Any], error: tuple[str, str]) -> None:
    bench = Bench()
    bench.apply(SERVICE, USUAL)
    assert error in refused(bench, rollout(**changed))


def test_a_rule_to_three_versions_is_not_split_in_two() -> None:
    bench = Bench()
    bench.apply(SERVICE, route(to("v1", 98), to("v2", 1), to("v3", 1)))
    assert refused(bench, rollout()) == [("spec.rule", "forbidden_combination")]


def test_what_it_moves_is_not_changed_under_way_and_what_it_judges_by_may_be() -> None:
    bench = running()
    assert refused(bench, rollout(steps=[{"weight_percent": 90, "hold": "1m"}])) == [("spec.steps", "conflict")]
    bench.apply(rollout(judge={"failure_percent_increase": 5}, on_failure="hold"))
    found = state(bench)
    assert found is not None
    assert (found.phase, found.weight_percent) == ("running", 10.0)


def test_route_rule_and_subset_stay_while_it_names_them() -> None:
    bench = running()
    for delete in (Key("Route", "default", "r"), Key("Service", "default", "reviews")):
        with pytest.raises(Problem) as problem:
            bench.apply(delete=(delete,))
        assert problem.value.code == "in_use"


def test_deleted_while_it_lives_all_calls_go_back_in_the_same_revision() -> None:
    bench = running()
    before = bench.view.revision
    applied = bench.apply(delete=(Key(*ROLLOUT),))
    assert bench.view.revision == before + 1
    assert [(each.kind, each.result) for each in applied.documents] == [("Rollout", "deleted"), ("Route", "changed")]
    assert weights(bench) == [("v1", 100, None), ("v2", 0, None)]
    assert bench.view.document(state_key("default", "reviews-v2")) is None
    bench.apply(rollout())
    assert state(bench) is None, "written anew it begins anew"


def test_deleted_with_a_route_of_other_weights_these_stand() -> None:
    bench = running()
    bench.apply(route(to("v1", 7), to("v2", 3)), delete=(Key(*ROLLOUT),))
    assert weights(bench) == [("v1", 7, None), ("v2", 3, None)]


def test_deleted_when_it_is_over_the_weights_stay() -> None:
    bench = running()
    ask(bench, "promote")
    bench.apply(delete=(Key(*ROLLOUT),))
    assert weights(bench) == [("v1", 0, None), ("v2", 100, None)]


def test_over_and_changed_it_begins_once_more() -> None:
    bench = running()
    ask(bench, "abort")
    found = state(bench)
    assert found is not None
    assert found.phase == "aborted"
    bench.apply(rollout())
    assert state(bench) is not None, "written as it was it stays over"
    bench.apply(rollout(steps=[{"weight_percent": 2, "hold": "1m"}]))
    assert state(bench) is None
    assert turn(bench, "begin")
    assert weights(bench)[2] == ("v2", 2, "canary")


def test_a_turn_that_was_overtaken_does_nothing() -> None:
    bench = running()
    row, kept = bench.view.document(ROLLOUT), bench.view.document(state_key("default", "reviews-v2"))
    assert row is not None
    assert kept is not None
    assert turn(bench, "pass")
    revision = bench.view.revision
    assert not turn(bench, "pass", state=kept.revision)
    assert not turn(bench, "begin", state=0)
    assert not turn(bench, "fail", revision=row.revision - 1)
    assert bench.view.revision == revision
    with pytest.raises(Problem) as problem:
        ask(bench, "promote", state=kept.revision)
    assert problem.value.status == 412

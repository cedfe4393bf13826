import dataclasses
import math
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.upstream.cluster_settings import EligibleSettings, SlowStartSettings
from gateway.upstream.eligible import Eligible, eligible_endpoints, state_of, warmth
from gateway.upstream.endpoint import Endpoint
from meshway.model.instance import Status
from tests.parts.endpoints import ELIGIBLE, endpoint


def ids(*some: Endpoint, now: float = 100.0) -> tuple[list[str], bool]:
    eligible = eligible_endpoints(some, (), ELIGIBLE, "", now)
    return [one.id for one in eligible.endpoints], eligible.is_panicking


def in_status(identity: str, status: Status) -> Endpoint:
    made = endpoint(identity)
    made.instance = replace(made.instance, status=status)
    return made


def failing(identity: str, failed_at: float, *, refused: bool = False) -> Endpoint:
    made = endpoint(identity)
    made.is_check_failing = True
    made.is_connect_refused = refused
    made.outlier = type("Record", (), {"failed_at": failed_at})()
    return made


def ejected(identity: str, until: float = 200.0) -> Endpoint:
    made = endpoint(identity)
    made.ejected_until = until
    return made


def test_only_who_passes_with_a_weight_and_is_not_ejected_nor_failing_may_serve() -> None:
    out = (
        in_status("critical", "critical"),
        in_status("draining", "draining"),
        in_status("maintenance", "maintenance"),
        endpoint("weightless", weight=0),
        ejected("ejected"),
        failing("failing", 1.0),
    )
    assert ids(endpoint("a"), *out, endpoint("b")) == (["a", "b"], False)
    assert [state_of(one, 100.0) for one in out] == [
        "critical", "draining", "maintenance", "drained", "ejected", "check_failing",
    ]  # fmt: skip
    assert state_of(endpoint("a"), 100.0) == "passing"


def test_an_ejection_ends_by_time() -> None:
    assert ids(ejected("a", until=100.0), endpoint("b")) == (["a", "b"], False)


def test_when_none_is_healthy_suspects_serve_the_least_recently_failed_first() -> None:
    some = (failing("late", 90.0), ejected("never"), failing("early", 10.0))
    assert ids(*some) == (["never", "early", "late"], True)


def test_not_even_in_panic_may_those_serve_who_drain_or_refuse_connections() -> None:
    some = (in_status("a", "draining"), in_status("b", "critical"), failing("c", 1.0, refused=True), endpoint("d", 0))
    assert ids(*some) == ([], False)


def settings(**fields: Any) -> EligibleSettings:
    return dataclasses.replace(ELIGIBLE, **fields)


STATUS: dict[str, Status] = {"critical": "critical", "draining": "draining"}


def in_zone(zone: str, *states: str) -> list[Endpoint]:
    """One for each state: `good`, `ejected`, `critical`, `draining`."""
    some = []
    for number, state in enumerate(states, 1):
        made = endpoint(f"{zone}{number}")
        made.instance = replace(made.instance, zone=zone, status=STATUS.get(state, "passing"))
        made.ejected_until = 200.0 if state == "ejected" else 0.0
        some.append(made)
    return some


def shares(eligible: Eligible) -> dict[str, float]:
    """Of all calls, by the first letter of an id."""
    found: dict[str, float] = {}
    for one, weight in zip(eligible.endpoints, eligible.weights, strict=True):
        found[one.id[0]] = found.get(one.id[0], 0.0) + weight / sum(eligible.weights)
    return found


@pytest.mark.parametrize(
    ("near", "far", "wanted"),
    [
        (["good"] * 4, ["good"], {"a": 1.0}),
        (["good"] * 3 + ["ejected"], ["good"], {"a": 1.0}),  # 75 % * 1.4 is enough
        (["good", "ejected"], ["good"], {"a": 0.7, "b": 0.3}),
        (["good", "critical", "critical", "critical"], ["good", "good"], {"a": 0.35, "b": 0.65}),
        (["good", "draining"], ["good"], {"a": 1.0}),  # on purpose: no loss
        (["ejected"], ["good"], {"b": 1.0}),
        (["good", "ejected", "ejected"], ["good", "critical", "critical"], {"a": 0.5, "b": 0.5}),
    ],
)
def test_a_zone_keeps_its_healthy_share_of_the_calls(near: list[str], far: list[str], wanted: dict[str, float]) -> None:
    eligible = eligible_endpoints([*in_zone("a", *near), *in_zone("b", *far)], (), ELIGIBLE, "a", 100.0)
    assert shares(eligible) == {zone: pytest.approx(share, abs=0.001) for zone, share in wanted.items()}


def test_weights_count_within_their_zone() -> None:
    near, far = in_zone("a", "good", "ejected"), in_zone("b", "good", "good")
    far[0].weight = 3
    eligible = eligible_endpoints([*near, *far], (), ELIGIBLE, "a", 100.0)
    by_id = {one.id: weight for one, weight in zip(eligible.endpoints, eligible.weights, strict=True)}
    assert by_id["b1"] / by_id["b2"] == pytest.approx(3.0, rel=0.01)


def test_failover_takes_what_the_zones_cannot_level_by_level() -> None:
    own = [*in_zone("a", "ejected"), *in_zone("b", "good", "ejected", "ejected", "ejected")]
    levels = [in_zone("c", "good", "critical", "critical", "critical"), in_zone("d", "good")]
    eligible = eligible_endpoints(own, levels, ELIGIBLE, "a", 100.0)
    assert shares(eligible) == {
        zone: pytest.approx(share, abs=0.001) for zone, share in zip("bcd", (0.35, 0.35, 0.3), strict=True)
    }
    assert not eligible.is_panicking


def test_a_gateway_without_a_zone_prefers_none() -> None:
    eligible = eligible_endpoints([*in_zone("a", "good"), *in_zone("b", "good")], (), ELIGIBLE, "", 100.0)
    assert shares(eligible) == {"a": 0.5, "b": 0.5}
    eligible = eligible_endpoints(in_zone("b", "good"), (), settings(locality="zone_only"), "a", 100.0)
    assert eligible.endpoints == ()


@pytest.mark.parametrize(("below", "serving"), [(0.0, "a1"), (33.0, "a1"), (34.0, "a1 a2 a3")])
def test_panic_begins_below_its_share(below: float, serving: str) -> None:
    eligible = eligible_endpoints(
        in_zone("a", "good", "ejected", "ejected"), (), settings(panic_below_percent=below), "", 100.0
    )
    assert " ".join(one.id for one in eligible.endpoints) == serving
    assert eligible.is_panicking == (below == 34.0)


def test_who_is_away_is_told_and_panic_may_refuse() -> None:
    some = in_zone("a", "good", "ejected", "critical")
    eligible = eligible_endpoints(some, (), settings(panic_below_percent=90.0, panic_fails=True), "", 100.0)
    assert (eligible.endpoints, eligible.away) == ((), (some[1],))


@pytest.mark.parametrize(
    ("age_s", "aggression", "share"),
    [(0.0, 1.0, 0.1), (15.0, 1.0, 0.25), (30.0, 1.0, 0.5), (60.0, 1.0, 1.0), (90.0, 1.0, 1.0), (15.0, 2.0, 0.5)],
)
def test_a_young_endpoint_weighs_by_its_age(age_s: float, aggression: float, share: float) -> None:
    assert warmth(age_s, 60.0, 10.0, aggression) == pytest.approx(share)


def test_slow_start_scales_weights_until_its_window_ends() -> None:
    old, young = endpoint("a", weight=2), endpoint("b", weight=2)
    young.serving_since = 85.0
    slow = settings(slow_start=SlowStartSettings(60.0, 10.0, 1.0))
    eligible = eligible_endpoints([old, young], (), slow, "", 100.0)
    assert (eligible.weights, eligible.due) == ((200, 50), 103.0)
    later = eligible_endpoints([old, young], (), slow, "", 145.0)
    assert (later.weights, later.due) == ((2, 2), math.inf)
    young.serving_since = old.serving_since = 99.0
    assert eligible_endpoints([old, young], (), slow, "", 100.0).weights == (2, 2), "all alike: nobody to spare them"


def test_who_returned_begins_slowly_without_any_policy_but_not_under_a_hash() -> None:
    old, returned = endpoint("a"), endpoint("b")
    returned.serving_since, returned.has_returned = 99.0, True
    assert eligible_endpoints([old, returned], (), ELIGIBLE, "", 100.0).weights == (100, 20)
    hashing = settings(is_warming=False)
    assert eligible_endpoints([old, returned], (), hashing, "", 100.0).weights == (1, 1)

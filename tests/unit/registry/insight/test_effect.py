from typing import Any

import pytest

from meshway.model.decode import decode_spec
from meshway.model.document import Spec
from meshway.telemetry import Row, Rows
from registry.insight.effect import Effect, effect_of, touched_by
from registry.view.view import View

ROUTES: Rows = {
    key: Row(key, calls)
    for key, calls in {
        ("shop/cart", "all", "shop/cart", "2xx", ""): 500,
        ("shop/cart", "all", "shop/cart", "5xx", "UF"): 100,
        ("shop/beta", "all", "shop/cart", "2xx", ""): 60,
        ("bank/pay", "all", "bank/pay", "2xx", ""): 300,
        ("", "", "", "4xx", "NR"): 1_000,
    }.items()
}
EDGES: Rows = {
    key: Row(key, calls)
    for key, calls in {
        ("edge", "shop/cart"): 540,
        ("shop/web", "shop/cart"): 120,
        ("shop/web", "bank/pay"): 300,
        ("edge", ""): 1_000,
    }.items()
}
LIMIT = {"token_bucket": {"rate": "100/s"}}
RULES = [{"destinations": [{"service": "cart"}]}]


def spec(kind: str, **fields: Any) -> Spec:
    found, errors = decode_spec(kind, fields)
    assert found is not None, errors
    return found


def told(kind: str, written: Spec | None, namespace: str = "shop", name: str = "cart") -> Effect:
    view = View(epoch="e", revision=0, floor=0, instance_number=0)
    return effect_of(touched_by([((kind, namespace, name), written)], view), ROUTES, EDGES, 600.0)


def names(effect: Effect) -> tuple[set[str], set[str], set[str]]:
    shares = effect.routes, effect.services, effect.callers
    routes, services, callers = ({share.name for share in each} for each in shares)
    return routes, services, callers


def test_a_route_touches_its_own_calls_and_not_those_by_another() -> None:
    effect = told("Route", spec("Route", hosts=["a.example"], rules=RULES))
    assert names(effect) == ({"shop/cart"}, {"shop/cart"}, {"edge", "shop/web"})
    assert effect.rps == 1.0
    assert [share.name for share in effect.callers] == ["edge", "shop/web"], "the busiest first"


def test_a_policy_of_a_service_touches_every_route_to_it() -> None:
    effect = told("RateLimit", spec("RateLimit", targets=[{"service": "cart"}], **LIMIT))
    assert names(effect) == ({"shop/cart", "shop/beta"}, {"shop/cart"}, {"edge", "shop/web"})
    assert effect.rps == 1.1


@pytest.mark.parametrize(
    ("targets", "rps"),
    [([{"route": "beta"}], 0.1), ([], 1.1), ([{"mesh": True}], 3.267)],
    ids=["a route", "its namespace", "the mesh"],
)
def test_a_policy_touches_what_it_is_for(targets: list[dict[str, Any]], rps: float) -> None:
    written = spec("RateLimit", targets=targets, **LIMIT)
    namespace = "mesh" if targets == [{"mesh": True}] else "shop"
    assert told("RateLimit", written, namespace).rps == rps


def test_a_service_that_nobody_calls_is_named_with_nothing() -> None:
    effect = told("Service", spec("Service"), name="idle")
    assert [(share.name, share.rps) for share in effect.services] == [("shop/idle", 0.0)]
    assert (effect.rps, effect.caller_count) == (0.0, 0)


def test_settings_of_the_mesh_touch_all() -> None:
    effect = told("MeshSettings", spec("MeshSettings", cross_namespace="deny"), "mesh", "mesh")
    assert (effect.rps, effect.service_count, effect.route_count) == (3.267, 2, 3)

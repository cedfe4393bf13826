from typing import Any

import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Row, Rows
from registry.insight import topology
from registry.insight.branching import Branch, Branching
from registry.insight.figures import figures_of
from registry.insight.health import Health, Instances
from registry.insight.services import ServiceSignals
from registry.insight.topology import Also, Asked, Topology, topology_of

CALLS = {
    ("edge", "shop/web"): 100,
    ("shop/web", "shop/cart"): 60,
    ("shop/web", "bank/pay"): 30,
    ("shop/cart", "bank/pay"): 10,
    ("bank/pay", "bank/ledger"): 40,
    ("hidden", "shop/cart"): 2,
    ("edge", ""): 5,
}


def signals(name: str, health: Health = "ok") -> ServiceSignals:
    namespace, _, bare = name.partition("/")
    return ServiceSignals(
        namespace=namespace,
        name=bare,
        health=health,
        reasons=() if health == "ok" else ("it is slow",),
        figures=figures_of(Row(()), 10.0),
        instances=Instances(1, 2),
    )


KNOWN = {
    name: signals(name, "warn" if name == "bank/pay" else "ok")
    for name in ("shop/web", "shop/cart", "bank/pay", "bank/ledger", "bank/idle")
}


def told(**asked: Any) -> Topology:
    rows: Rows = {key: Row(key, calls) for key, calls in CALLS.items()}
    return topology_of(rows, KNOWN, Asked(**asked), first=0.0, end=10.0, span_s=10.0)


def edges(found: Topology) -> dict[tuple[str, str], int]:
    return {(edge.source, edge.target): edge.figures.calls for edge in found.edges}


def test_all_services_and_who_calls_them() -> None:
    found = told()
    assert edges(found) == {key: calls for key, calls in CALLS.items() if key[1]}
    nodes = {node.id: (node.kind, node.health) for node in found.nodes}
    assert nodes == {
        "edge": ("caller", "unknown"),
        "hidden": ("hidden", "unknown"),
        "shop/web": ("service", "ok"),
        "shop/cart": ("service", "ok"),
        "bank/pay": ("service", "warn"),
        "bank/ledger": ("service", "ok"),
        "bank/idle": ("service", "ok"),
    }
    (cart,) = [node for node in found.nodes if node.id == "shop/cart"]
    assert (cart.figures.calls, cart.instances) == (62, Instances(1, 2))
    assert found.totals.calls == 242


def test_of_one_namespace_the_others_are_folded_into_theirs() -> None:
    found = told(namespace="shop")
    assert edges(found) == {
        ("edge", "shop/web"): 100,
        ("shop/web", "shop/cart"): 60,
        ("shop/web", "bank"): 30,
        ("shop/cart", "bank"): 10,
        ("hidden", "shop/cart"): 2,
    }
    (bank,) = [node for node in found.nodes if node.id == "bank"]
    assert (bank.kind, bank.health, bank.services) == ("namespace", "warn", {"warn": 1, "ok": 2})


def test_edges_of_namespaces_are_added_up() -> None:
    found = told(level="namespaces")
    assert edges(found) == {
        ("edge", "shop"): 100,
        ("shop", "shop"): 60,
        ("shop", "bank"): 40,
        ("bank", "bank"): 40,
        ("hidden", "shop"): 2,
    }


@pytest.mark.parametrize(
    ("hops", "names"),
    [
        (1, {"bank/ledger", "bank/pay"}),
        (2, {"bank/ledger", "bank/pay", "shop/web", "shop/cart"}),
        (3, {"bank/ledger", "bank/pay", "shop/web", "shop/cart", "edge", "hidden"}),
    ],
)
def test_around_a_service_one_sees_so_far(hops: int, names: set[str]) -> None:
    assert {node.id for node in told(level="focus", service="bank/ledger", hops=hops).nodes} == names


def test_a_service_that_nobody_calls_is_told_all_the_same() -> None:
    (node,) = told(level="focus", service="bank/idle").nodes
    assert (node.id, node.figures.calls) == ("bank/idle", 0)


def test_edges_with_few_calls_are_left_out_where_that_is_asked() -> None:
    assert set(edges(told(min_rps=6.0))) == {("edge", "shop/web"), ("shop/web", "shop/cart")}


def test_above_the_most_the_least_busy_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "MOST_EDGES", 2)
    found = told()
    assert (set(edges(found)), found.left_out) == ({("edge", "shop/web"), ("shop/web", "shop/cart")}, 4)


def test_the_shape_is_the_same_as_long_as_nodes_and_edges_are() -> None:
    rows: Rows = {key: Row(key, 1) for key in CALLS}
    other = topology_of(rows, KNOWN, Asked(), first=10.0, end=20.0, span_s=10.0)
    assert other.shape == told().shape != told(min_rps=6.0).shape


def test_an_edge_says_what_was_refused_and_who_showed_a_certificate() -> None:
    row = Row(("edge", "shop/web"), 10, limited=3, shed=2, mutual=5)
    rows: Rows = {row.key: row, ("shop/web", "shop/cart"): Row(("shop/web", "shop/cart"), 1)}
    found = topology_of(rows, KNOWN, Asked(), first=0.0, end=10.0, span_s=10.0)
    assert [(edge.limited, edge.shed, edge.mutual) for edge in found.edges] == [(3, 2, 5), (0, 0, 0)]


def test_an_edge_says_what_is_spoken_to_its_service_and_one_of_a_namespace_does_not() -> None:
    rows: Rows = {key: Row(key, 1) for key in (("edge", "shop/web"), ("shop/web", "bank/pay"))}
    also = Also(protocols={"bank/pay": ("grpc", "tcp")})
    asked = {level: Asked(level=level) for level in ("services", "namespaces")}
    found = {
        level: topology_of(rows, KNOWN, one, also, first=0.0, end=10.0, span_s=10.0) for level, one in asked.items()
    }
    assert [edge.protocols for edge in found["services"].edges] == [(), ("grpc", "tcp")]
    assert {edge.protocols for edge in found["namespaces"].edges} == {()}


def test_callers_outside_are_told_to_speak_http3_where_they_may_and_services_are_not() -> None:
    rows: Rows = {key: Row(key, 1) for key in (("edge", "shop/web"), ("edge", "shop/chat"), ("shop/web", "shop/chat"))}
    also = Also(protocols={"shop/chat": ("http", "websocket")}, by_http3={"shop/web", "shop/chat"})
    found = topology_of(rows, KNOWN, Asked(), also, first=0.0, end=10.0, span_s=10.0)
    assert {(edge.source, edge.target): edge.protocols for edge in found.edges} == {
        ("edge", "shop/web"): ("http", "http3"),
        ("edge", "shop/chat"): ("http", "http3", "websocket"),
        ("shop/web", "shop/chat"): ("http", "websocket"),
    }


def test_a_service_tells_of_what_is_open_though_no_call_has_ended() -> None:
    found = topology_of({}, KNOWN, Asked(), Also(open_now={"shop/cart": 3}), first=0.0, end=10.0, span_s=10.0)
    assert {node.id: node.open_now for node in found.nodes if node.open_now} == {"shop/cart": 3}


def test_an_edge_is_as_well_as_its_own_calls() -> None:
    bad = Row(("shop/web", "shop/cart"), 100, 10)
    slow = Row(("edge", "shop/cart"), 100, seconds=50.0, buckets={bucket_of(0.5): 100})
    also = Also(usual_p95_s={"shop/cart": 0.1})
    found = topology_of({bad.key: bad, slow.key: slow}, KNOWN, Asked(), also, first=0.0, end=10.0, span_s=10.0)
    told = {edge.source: (edge.health, edge.reasons) for edge in found.edges}
    assert told["shop/web"] == ("bad", ("10.0% of calls fail",))
    assert told["edge"][0] == "warn"
    assert told["edge"][1][0].endswith("at this hour it is 100 ms")


def test_a_service_says_which_versions_answered_and_where_its_calls_part() -> None:
    split = Branching(route="shop/cart", rule="0", split=(Branch(service="shop/cart", subset="v1", share=1.0),))
    answered: Rows = {key: Row(key, calls) for key, calls in {("shop/cart", "v1"): 30, ("shop/cart", "v2"): 10}.items()}
    also = Also(branchings={"shop/cart": (split,)}, answered=answered)
    found = topology_of({}, KNOWN, Asked(), also, first=0.0, end=10.0, span_s=10.0)
    told = {node.id: (node.versions, node.branchings) for node in found.nodes}
    assert told["shop/cart"] == ({"v1": 0.75, "v2": 0.25}, (split,))
    assert told["shop/web"] == (None, ())

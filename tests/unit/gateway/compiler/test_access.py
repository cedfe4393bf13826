"""What AccessPolicies make of a plan: nothing where none speaks, and nothing passes where one cannot be used."""

from pathlib import Path
from typing import Any

import pytest

from gateway.access.gate import Gate, Guard
from gateway.compiler.tables import Compiler
from gateway.exchange import MESH, Reply
from gateway.plan import Parts, RoutePlan
from gateway.telemetry.counters import Counters, read_counters
from gateway.telemetry.prometheus import exposition
from meshway.identity import Principal
from meshway.snapshot import Change
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.clock import ManualClock

BOOKS = [{"service": "books"}]
NOT_READ = document("AccessPolicy", "p", {"targets": BOOKS, "new_field": 1})


def policy(name: str = "p", namespace: str = "default", **spec: Any) -> Change:
    return document("AccessPolicy", name, {"targets": BOOKS} | spec, namespace)


DENY = policy(default="deny")


class Bench:
    def __init__(self, **parts: Any) -> None:
        self.compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.0, **parts))
        self._revision = 0

    def apply(self, *changes: Change, whole: bool = False) -> list[str]:
        self._revision += 1
        take = self.compiler.snapshot if whole else self.compiler.delta
        return [f"{refusal.path}" for refusal in take(self._revision, changes)]

    def plan(self, host: str = "shop.example", target: str = "/", **how: Any) -> RoutePlan:
        plan = self.compiler.tables.match(call(target, host=host, **how))
        assert plan is not None
        return plan

    def fate(self, target: str = "/", host: str = "shop.example", **how: Any) -> str:
        """`policy: reason` of a refusal, or ""."""
        exchange = call(target, host=host, **how)
        plan = self.compiler.tables.match(exchange)
        assert plan is not None
        for each in plan.request_filters:
            reply = each(exchange)
            if isinstance(reply, Reply):
                return f"{reply.policy}: {reply.reason}"
        return ""


ROUTE = document("Route", "r", edge_route(to("books")))


def test_a_rule_for_which_no_policy_speaks_has_no_step_and_no_guard() -> None:
    bench = Bench()
    bench.apply(
        running("books", "1"), running("films", "1"), ROUTE, policy(targets=[{"service": "films"}], default="deny")
    )
    assert (bench.plan().request_filters, bench.plan().guard) == ((), None)
    implicit = bench.plan("books.default.mesh", listener=MESH)
    assert (implicit.request_filters, implicit.guard) == ((), None)
    assert bench.plan("films.default.mesh", listener=MESH).request_filters != ()


def test_a_route_that_a_policy_does_not_concern_stays_the_same_object() -> None:
    bench = Bench()
    bench.apply(running("books", "1"), running("films", "1"), ROUTE)
    before = bench.plan()
    bench.apply(policy(targets=[{"service": "films"}], default="deny"))
    assert bench.plan() is before
    bench.apply(DENY)
    assert bench.plan() is not before


@pytest.mark.parametrize(
    "change",
    [
        document("IpList", "office", {"entries": [{"cidr": "127.0.0.1"}]}),
        document("IpList", "office", {"entries": [{"cidr": "127.0.0.1"}]}, "mesh"),
    ],
    ids=["own", "mesh"],
)
def test_a_list_that_changes_changes_its_policies(change: Change) -> None:
    bench = Bench()
    allow = policy(rules=[{"action": "allow", "from": [{"ip_list": "office"}]}])
    bench.apply(running("books", "1"), ROUTE, allow)
    assert bench.fate() == "AccessPolicy default/p: denied"
    bench.apply(change)
    assert bench.fate() == ""
    bench.apply(gone("IpList", "office", change.namespace))
    assert bench.fate() == "AccessPolicy default/p: denied"
    bench.apply(change, policy(rules=[{"action": "deny", "from": [{"not_ip_list": "office"}]}]))
    assert bench.fate() == ""
    bench.apply(document("IpList", "office", {"entries": [{"cidr": "192.0.2.1"}]}, change.namespace))
    assert bench.fate() == "AccessPolicy default/p: denied"


def test_a_service_that_registers_later_is_guarded_at_once() -> None:
    bench = Bench()
    bench.apply(DENY)
    bench.apply(running("books", "1"))
    assert bench.fate(host="books.default.mesh", listener=MESH) == "AccessPolicy default/p: denied"


def test_the_last_good_version_goes_on_where_the_new_one_does_not_compile() -> None:
    bench = Bench()
    bench.apply(running("books", "1"), ROUTE, DENY)
    assert bench.apply(NOT_READ) == ["spec.new_field"]
    assert bench.fate() == "AccessPolicy default/p: denied"
    bench.apply(policy(default="allow"))
    assert bench.fate() == ""


def test_at_a_first_start_nothing_passes_where_a_policy_cannot_be_read() -> None:
    bench = Bench()
    bench.apply(running("books", "1"), running("films", "1"), ROUTE, NOT_READ, whole=True)
    assert bench.fate() == "AccessPolicy default/p: policy_unavailable"
    assert bench.fate(host="films.default.mesh", listener=MESH) == ""
    bench.apply(DENY)
    assert bench.fate() == "AccessPolicy default/p: denied"


def test_nor_does_it_where_the_service_only_stands_in() -> None:
    bench = Bench()
    failover = document("TrafficPolicy", "t", {"targets": [{"service": "films"}], "failover": BOOKS})
    by_films = document("Route", "r", edge_route(to("films")))
    bench.apply(running("books", "1"), running("films", "1"), by_films, failover, NOT_READ, whole=True)
    guard = bench.plan().guard
    assert isinstance(guard, Guard)
    refusal = guard.refusal(call("/"), "default/films", ("default", "books", "1"))
    assert refusal is not None
    assert refusal.reason == "policy_unavailable"
    assert guard.refusal(call("/"), "default/films", ("default", "films", "1")) is None
    bench.apply(gone("AccessPolicy", "p"))
    assert bench.plan().guard is None


def test_another_namespace_gives_its_consent_for_itself() -> None:
    bench = Bench()
    foreign = {"destinations": [{"service": "films", "namespace": "cinema"}]}
    bench.apply(running("films", "1", "cinema"), document("Route", "r", edge_route(foreign)))
    assert bench.fate() == "MeshSettings mesh/mesh: denied"
    assert Bench(crosses_namespaces=True).apply() == []
    open_mesh = Bench(crosses_namespaces=True)
    open_mesh.apply(running("films", "1", "cinema"), document("Route", "r", edge_route(foreign)))
    assert open_mesh.plan().request_filters == ()
    open_mesh.apply(document("MeshSettings", "mesh", {"cross_namespace": "deny"}, "mesh"))
    assert open_mesh.fate() == "MeshSettings mesh/mesh: denied"


def test_what_only_audits_is_counted_by_its_policy(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "counters", 100)
    bench = Bench(counters=counters)
    bench.apply(running("books", "1"), ROUTE, policy(default="deny", mode="audit"))
    assert [bench.fate(), bench.fate()] == ["", ""]
    lines = exposition(read_counters(tmp_path / "counters"))
    assert 'meshway_access_would_deny_total{policy="default/p"} 2' in lines


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ({"exact": "/Admin"}, "/admin"),
        ({"prefix": "/caf\u00e9"}, "/CAF%C3%89/x"),
        ({"string_prefix": "/adm"}, "/%2541DMIN"),
        ({"template": "/users/{id}/Keys"}, "/users/7/keys;v=1"),
        ({"template": "/files/{rest=**}"}, "/x/%252e%252e/files/a"),
        ({"regex": "/(admin|root)(/.*)?"}, "/ROOT."),
    ],
)
def test_a_rule_that_denies_is_found_by_every_kind_of_path(path: dict[str, str], asked: str) -> None:
    bench = Bench()
    bench.apply(running("books", "1"), ROUTE, policy(rules=[{"action": "deny", "to": [{"path": path}]}]))
    assert bench.fate(asked) == "AccessPolicy default/p: denied"
    assert bench.fate("/other") == ""


def test_a_thousand_rules_are_asked_by_path_not_one_by_one() -> None:
    """What a call costs must not grow with the rules of other paths: only the candidates of its own path are asked."""
    bench = Bench()
    many = [{"action": "deny", "to": [{"path": {"prefix": f"/p{at}"}, "methods": ["PUT"]}]} for at in range(1000)]
    bench.apply(running("books", "1"), ROUTE, policy(rules=many))
    [step] = bench.compiler.state.access.service_steps("default", "books", "", "default")
    gate = getattr(step.forecast, "__self__", None)
    assert isinstance(gate, Gate)
    assert gate.enforced is not None
    root = gate.enforced.together.root
    assert root.candidates == ()
    assert [len(node.candidates) for node in root.children.values()] == [1] * 1000


def test_services_of_its_own_namespace_leave_the_mesh_unless_a_policy_says_otherwise() -> None:
    bench = Bench()
    outside = {"type": "external", "external": {"host": "api.example", "tls": False}}
    bench.apply(document("Service", "api", outside))

    def fate(principal: Principal | None) -> str:
        exchange = call(host="api.default.mesh", listener=MESH)
        exchange.principal = principal
        plan = bench.compiler.tables.match(exchange)
        assert plan is not None
        assert plan.guard is not None
        reply = plan.guard.refusal(exchange, "default/api", ("default", "api", "api.example:80"))
        return "" if reply is None else f"{reply.policy}: {reply.reason}"

    own = Principal("spiffe://mesh.internal/ns/default/svc/web", "default", "web", method="service_token")
    other = Principal("spiffe://mesh.internal/ns/shop/svc/web", "shop", "web", method="service_token")
    person = Principal("https://id.example#me", "default", method="jwt")
    said = Principal("spiffe://mesh.internal/ns/default/svc/web", "default", "web")
    denied = "Service default/api: egress_denied"
    assert [fate(who) for who in (own, other, person, said, None)] == ["", denied, denied, denied, denied]
    bench.apply(document("AccessPolicy", "p", {"targets": [{"service": "api"}], "default": "deny"}))
    assert fate(own) == "AccessPolicy default/p: denied"
    bench.apply(gone("AccessPolicy", "p"), document("Service", "api", {}), running("api", "1"))
    plan = bench.plan("api.default.mesh", listener=MESH)
    assert (plan.guard, plan.request_filters) == (None, ())  # it leads nowhere outside any more


@pytest.mark.parametrize(
    ("spec", "fate"),
    [
        ({"mtls": "strict"}, "MeshSettings mesh/mesh: policy_unavailable"),
        ({"mtls": "stricter"}, "MeshSettings mesh/mesh: policy_unavailable"),
        ({"mtls": "permissive"}, ""),
        ({}, ""),
    ],
)
def test_at_a_first_start_settings_that_cannot_be_read_are_not_taken_for_permissive(
    spec: dict[str, Any], fate: str
) -> None:
    bench = Bench()
    settings = document("MeshSettings", "mesh", spec | {"new_field": 1}, "mesh")
    bench.apply(running("books", "1"), ROUTE, settings, whole=True)
    assert bench.fate() == fate
    bench.apply(document("MeshSettings", "mesh", {"mtls": "permissive"}, "mesh"))
    assert bench.fate() == ""


def test_a_namespace_that_cannot_be_read_is_closed_alone() -> None:
    bench = Bench()
    unread = document("Namespace", "cinema", {"mtls": "strict", "new_field": 1}, "mesh")
    bench.apply(running("books", "1"), running("films", "1", "cinema"), ROUTE, unread, whole=True)
    assert bench.fate() == ""
    assert bench.fate(host="films.cinema.mesh", listener=MESH) == "Namespace mesh/cinema: policy_unavailable"


def test_a_host_outside_of_a_strict_namespace_is_called_as_its_policy_says() -> None:
    bench = Bench()
    outside = {"type": "external", "external": {"host": "api.example", "tls": False}}
    strict = document("Namespace", "default", {"mtls": "strict"}, "mesh")
    bench.apply(document("Service", "api", outside), running("books", "1"), strict)
    clusters = bench.compiler.tables.clusters
    assert clusters["default/api"].opening.tls is None
    assert clusters["default/books"].opening.tls is not None
    guard = bench.plan("api.default.mesh", listener=MESH).guard
    assert guard is not None
    exchange = call(host="api.default.mesh", listener=MESH)
    refusal = guard.refusal(exchange, "default/api", ("default", "api", "api.example:80"))
    assert refusal is not None
    assert refusal.policy == "Namespace mesh/default"
    bench.apply(running("films", "1"))  # of an instance alone
    assert bench.compiler.tables.clusters["default/films"].opening.tls is not None


@pytest.mark.parametrize("block", ["failover", "breaker"])
def test_who_stands_in_of_a_strict_namespace_is_asked_for_as_itself(block: str) -> None:
    """By failover, or while a breaker is open."""
    other = {"service": "films", "namespace": "cinema"}
    blocks: dict[str, Any] = {"failover": [other], "breaker": {"fallback": {"destination": other}}}
    bench = Bench(crosses_namespaces=True)
    bench.apply(
        running("books", "1"),
        running("films", "1", "cinema"),
        document("TrafficPolicy", "p", {block: blocks[block]}),
        document("Namespace", "cinema", {"mtls": "strict"}, "mesh"),
    )
    guard = bench.plan("books.default.mesh", listener=MESH).guard
    assert guard is not None
    exchange = call(host="books.default.mesh", listener=MESH)
    refusal = guard.refusal(exchange, "cinema/films", ("cinema", "films", "1"))
    refused_by_failover = guard.refusal(exchange, "default/books", ("cinema", "films", "1"))
    assert {each.policy for each in (refusal, refused_by_failover) if each is not None} == {"Namespace mesh/cinema"}
    assert guard.refusal(exchange, "default/books", ("default", "books", "1")) is None


def test_copies_to_a_strict_namespace_are_of_calls_that_might_go_there() -> None:
    bench = Bench(crosses_namespaces=True)
    mirror = [{"destination": {"service": "films", "namespace": "cinema"}}]
    by_route = edge_route(to("books", mirror=mirror), hosts=["books"], listeners=["mesh"])
    strict = document("Namespace", "cinema", {"mtls": "strict"}, "mesh")
    services = running("books", "1"), running("films", "1", "cinema")
    assert bench.apply(*services, document("Route", "r", by_route), strict) == []
    [copy] = bench.plan("books", listener=MESH).mirrors
    assert copy.guard is not None
    refusal = copy.guard.refusal(call(host="books", listener=MESH), "cinema/films", ("cinema", "films", "1"))
    assert refusal is not None
    assert refusal.policy == "Namespace mesh/cinema"

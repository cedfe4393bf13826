"""Which rule gets a call: host tier, priority, path, method, headers, age, name, place."""

from typing import Any

import pytest

from gateway.compiler.tables import Compiler
from gateway.exchange import MESH
from gateway.plan import Parts, RoutePlan
from meshway.snapshot import Change
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, running, to
from tests.parts.clock import ManualClock


def compiled(*changes: Change) -> Compiler:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.5))
    assert compiler.snapshot(1, changes) == []
    return compiler


def matched(compiler: Compiler, *args: Any, **fields: Any) -> str:
    plan = compiler.tables.match(call(*args, **fields))
    return f"{plan.route.partition('/')[2]}.{plan.rule}" if plan is not None else "none"


def route(name: str, *rules: dict[str, Any], created_at: str | None = None, **fields: Any) -> Change:
    return document("Route", name, edge_route(*rules, **fields), created_at=created_at)


def test_an_exact_host_wins_over_wildcards_and_the_longest_wildcard_over_shorter_ones() -> None:
    compiler = compiled(
        route("any", to("s"), hosts=["*"]),
        route("short", to("s"), hosts=["*.example"]),
        route("long", to("s"), hosts=["*.shop.example"]),
        route("exact", to("s"), hosts=["shop.example"]),
    )
    assert matched(compiler, host="shop.example") == "exact.0"
    assert matched(compiler, host="SHOP.example.:8080") == "exact.0"
    assert matched(compiler, host="eu.shop.example") == "long.0"
    assert matched(compiler, host="a.eu.shop.example") == "long.0"
    assert matched(compiler, host="other.example") == "short.0"
    assert matched(compiler, host="example") == "any.0"
    assert matched(compiler, host="elsewhere") == "any.0"


def test_a_call_falls_through_to_the_next_tier_when_no_rule_of_the_higher_one_matches() -> None:
    compiler = compiled(
        route("exact", to("s", {"prefix": "/a"})),
        route("wild", to("s", {"prefix": "/b"}), hosts=["*.example"]),
        route("any", to("s", {"prefix": "/c"}), hosts=["*"]),
    )
    assert [matched(compiler, path) for path in ("/a", "/b", "/c", "/d")] == ["exact.0", "wild.0", "any.0", "none"]


def test_a_prefix_takes_whole_segments() -> None:
    compiler = compiled(route("r", to("s", {"prefix": "/a/b"})), route("slash", to("s", {"prefix": "/c/"})))
    assert [matched(compiler, path) for path in ("/a/b", "/a/b/", "/a/b/c", "/a/bc", "/a")] == [
        "r.0",
        "r.0",
        "r.0",
        "none",
        "none",
    ]
    assert [matched(compiler, path) for path in ("/c", "/c/", "/c/d")] == ["slash.0"] * 3
    assert matched(compiler, "/cd") == "none"


def test_an_exact_path_wins_over_the_longest_prefix_and_that_over_shorter_ones() -> None:
    paths = ({"prefix": "/"}, {"prefix": "/a/b"}, {"prefix": "/a"}, {"exact": "/a/b"})
    compiler = compiled(route("r", *(to("s", path) for path in paths)))
    assert [matched(compiler, path) for path in ("/a/b", "/a/b/c", "/a/c", "/c")] == ["r.3", "r.1", "r.2", "r.0"]


def test_an_exact_path_that_asks_for_a_method_leaves_the_others_to_prefixes() -> None:
    exact = {"match": [{"path": {"exact": "/a"}, "methods": ["POST"]}], "destinations": [{"service": "s"}]}
    compiler = compiled(route("r", exact, to("s", {"prefix": "/"})))
    assert matched(compiler, "/a", method="POST") == "r.0"
    assert matched(compiler, "/a", method="GET") == "r.1"


def test_a_method_wins_over_headers_and_more_headers_over_fewer() -> None:
    def rule(**match: Any) -> dict[str, Any]:
        return {"match": [match], "destinations": [{"service": "s"}]}

    compiler = compiled(
        route("r", rule(), rule(headers={"x": "1"}), rule(headers={"X": "1", "y": "2"}), rule(methods=["PUT"]))
    )
    assert matched(compiler) == "r.0"
    assert matched(compiler, headers={"X": "1"}) == "r.1"
    assert matched(compiler, headers={"x": "1", "Y": "2"}) == "r.2"
    assert matched(compiler, headers={"x": "1", "y": "3"}) == "r.1"
    assert matched(compiler, headers={"x": "1", "y": "2"}, method="PUT") == "r.3"


def test_priority_wins_over_the_path() -> None:
    compiler = compiled(route("r", to("s", {"exact": "/a"})), route("urgent", to("s", {"prefix": "/"}), priority=1))
    assert matched(compiler, "/a") == "urgent.0"


def test_the_older_route_wins_then_the_name_then_the_place_of_the_rule() -> None:
    old, new = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    rules = (to("s"), to("s"))
    compiler = compiled(route("b", *rules, created_at=old), route("a", *rules, created_at=new))
    assert matched(compiler) == "b.0"
    compiler = compiled(route("b", *rules, created_at=old), route("a", *rules, created_at=old))
    assert matched(compiler) == "a.0"


def test_any_match_of_a_rule_is_enough_and_all_parts_of_a_match_are_needed() -> None:
    match = [{"path": {"prefix": "/a"}, "methods": ["GET"], "headers": {"x": "1"}}, {"path": {"exact": "/b"}}]
    compiler = compiled(route("r", {"match": match, "destinations": [{"service": "s"}]}))
    assert matched(compiler, "/b") == "r.0"
    assert matched(compiler, "/a", headers={"x": "1"}) == "r.0"
    assert matched(compiler, "/a") == "none"
    assert matched(compiler, "/a", method="PUT", headers={"x": "1"}) == "none"


def test_people_write_paths_as_they_speak() -> None:
    compiler = compiled(route("r", to("s", {"exact": "/café"})))
    assert matched(compiler, "/caf%c3%a9") == "r.0"


@pytest.mark.parametrize("host", ["reviews.shop.mesh", "reviews.shop", "REVIEWS.shop.mesh:8581"])
def test_a_service_is_called_by_its_names_without_any_route(host: str) -> None:
    compiler = compiled(running("reviews", "1", namespace="shop"))
    plan = compiler.tables.match(call("/x", host=host, listener=MESH))
    assert plan is not None
    assert plan.choose is not None
    assert plan.choose(call()).name == "shop/reviews"


def test_a_bare_name_is_looked_up_in_the_default_namespace() -> None:
    compiler = compiled(running("reviews", "1", namespace="shop"), running("books", "1"))
    assert matched(compiler, host="books", listener=MESH) == "implicit:books.all"
    assert matched(compiler, host="reviews", listener=MESH) == "none"
    assert matched(compiler, host="unknown.default.mesh", listener=MESH) == "none"


def test_the_edge_exposes_nothing_unasked_and_the_mesh_no_edge_route() -> None:
    compiler = compiled(running("books", "1"), route("r", to("books"), hosts=["books.example"]))
    assert matched(compiler, host="books.default.mesh") == "none"
    assert matched(compiler, host="books.example", listener=MESH) == "none"


def test_a_mesh_route_speaks_for_its_service_under_all_of_its_names() -> None:
    spec = edge_route(to("books", {"prefix": "/a"}), hosts=["books"], listeners=["mesh"])
    compiler = compiled(
        running("books", "1"),
        document("Service", "books", {"aliases": ["library.example"]}),
        document("Route", "r", spec),
    )
    for host in ("books", "books.default", "books.default.mesh", "library.example"):
        assert matched(compiler, "/a", host=host, listener=MESH) == "r.0"
        assert matched(compiler, "/b", host=host, listener=MESH) == "none"


def test_a_route_may_be_attached_by_an_alias() -> None:
    spec = edge_route(to("books"), hosts=["library.example"], listeners=["mesh"])
    compiler = compiled(
        document("Service", "books", {"aliases": ["library.example"]}), document("Route", "r", spec, namespace="shop")
    )
    assert matched(compiler, host="books.default", listener=MESH) == "r.0"


def test_nobody_takes_over_a_service_by_an_alias_of_its_name() -> None:
    compiler = compiled(
        running("books", "1"), document("Service", "evil", {"aliases": ["books.default"]}, namespace="other")
    )
    assert matched(compiler, host="books.default", listener=MESH) == "implicit:books.all"


def test_a_plan_is_the_same_object_for_all_matches_of_a_rule() -> None:
    match = [{"path": {"exact": "/a"}}, {"path": {"exact": "/b"}}]
    compiler = compiled(route("r", {"match": match, "destinations": [{"service": "s"}]}))
    assert isinstance(compiler.tables.match(call("/a")), RoutePlan)
    assert compiler.tables.match(call("/a")) is compiler.tables.match(call("/b"))

"""The table of a host lives on while its routes are the same; the table of a listener knows hosts by their kind."""

from typing import Any

import pytest

from gateway.compiler.compiled_route import Attachment, CompiledRoute
from gateway.compiler.hosts import edge_table, gather
from gateway.compiler.matches import Placed
from gateway.compiler.tables import Compiler
from gateway.plan import Parts
from gateway.routing.table import Candidate
from meshway.model.match import PathMatch
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.clock import ManualClock
from tests.parts.plans import plan, route_entry


def test_a_host_whose_routes_are_the_same_objects_is_not_built_again() -> None:
    placed = (Placed(PathMatch(prefix=""), Candidate((1,), plan("all"))),)
    one, two = (CompiledRoute(route_entry(name), placed, (), Attachment(("*",), ())) for name in "ab")
    before = gather([("*", one), ("x.example", two), ("*.x.example", two)], {})
    after = gather([("*", one), ("x.example", one)], before)
    assert after["*"] is before["*"]
    assert after["x.example"] is not before["x.example"]
    table = edge_table(before)
    assert (list(table.names), list(table.wildcards)) == ([b"x.example"], [b".x.example"])
    assert table.any is before["*"][1]


def listener(**spec: Any) -> Any:
    return document("Listener", "partner", {"protocol": "http", "port": 9000} | spec, "mesh")


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_who_still_calls_by_a_named_listener_that_goes_gets_no_routes_of_the_edge(how: str) -> None:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.0))
    named = document("Route", "own", edge_route(to("books", {"prefix": "/own"}), listeners=["partner"]))
    everybody = document("Route", "all", edge_route(to("films")))
    documents = [running("books", "1"), running("films", "1"), listener(routes="named"), named, everybody]
    assert compiler.snapshot(1, documents) == []
    away = gone("Listener", "partner", "mesh") if how == "deleted" else listener(routes="named", enabled=False)
    assert compiler.delta(2, [away]) == []
    later = document("Route", "later", edge_route(to("films", {"prefix": "/later"})))
    assert compiler.delta(3, [later]) == []

    def served(target: str) -> str:
        exchange = call(target, host="shop.example")
        exchange.listener_name = "partner"
        plan = compiler.tables.match(exchange)
        return "" if plan is None else plan.route

    assert [served(each) for each in ("/own", "/", "/later")] == ["default/own", "", ""]
    assert compiler.delta(4, [gone("Route", "own")]) == []
    assert [served(each) for each in ("/own", "/")] == ["", ""]
    assert compiler.delta(5, [listener()]) == []
    assert served("/") == "default/all", "it is back, and serves its face"

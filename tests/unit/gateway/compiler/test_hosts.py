"""The table of a host lives on while its routes are the same; the table of a listener knows hosts by their kind."""

from gateway.compiler.hosts import edge_table, gather
from gateway.compiler.matches import Placed
from gateway.compiler.routes import Attachment, CompiledRoute
from gateway.routing.table import Candidate
from meshway.model.match import PathMatch
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

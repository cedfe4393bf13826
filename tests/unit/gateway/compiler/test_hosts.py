"""A host's table asks in order and stops where nothing more can match."""

from gateway.compiler.hosts import build_host, edge_table, gather, in_order
from gateway.compiler.routes import EXACT, PREFIX, Attachment, CompiledRoute, Placed
from gateway.routing.table import Candidate
from tests.parts.calls import call
from tests.parts.plans import plan, route_entry


def candidate(name: str, rank: int, methods: frozenset[bytes] | None = None) -> Candidate:
    return Candidate((rank,), plan(name), methods)


def names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [found.plan.rule for found in candidates]


GET = frozenset({b"GET"})


def test_what_stands_behind_a_candidate_that_takes_everything_is_left_out() -> None:
    some = [candidate("last", 3), candidate("open", 2), candidate("first", 1, GET)]
    assert names(in_order(some)) == ["first", "open"]


def test_an_exact_path_and_a_deep_prefix_hold_all_that_covers_them() -> None:
    host = build_host(
        [
            Placed(EXACT, b"/a/b", candidate("exact", 1, GET)),
            Placed(PREFIX, b"/a", candidate("short", 3)),
            Placed(PREFIX, b"/a/b", candidate("long", 2, GET)),
            Placed(PREFIX, b"", candidate("all", 4)),
        ]
    )
    assert names(host.exact[b"/a/b"]) == ["exact", "long", "short"]
    assert names(host.root.candidates) == ["all"]
    assert names(host.root.children[b"a"].candidates) == ["short"]
    assert names(host.root.children[b"a"].children[b"b"].candidates) == ["long", "short"]


def test_a_segment_without_a_prefix_of_its_own_has_what_is_above_it() -> None:
    host = build_host([Placed(PREFIX, b"/a/b/c", candidate("deep", 1)), Placed(PREFIX, b"", candidate("all", 2))])
    assert names(host.root.children[b"a"].children[b"b"].candidates) == ["all"]
    exchange = call("/a/b/x")
    found = host.match(exchange)
    assert found is not None
    assert found.rule == "all"


def test_a_host_whose_routes_are_the_same_objects_is_not_built_again() -> None:
    placed = (Placed(PREFIX, b"", candidate("all", 1)),)
    one, two = (CompiledRoute(route_entry(name), placed, (), Attachment(("*",), ())) for name in "ab")
    before = gather([("*", one), ("x.example", two), ("*.x.example", two)], {})
    after = gather([("*", one), ("x.example", one)], before)
    assert after["*"] is before["*"]
    assert after["x.example"] is not before["x.example"]
    table = edge_table(before)
    assert (list(table.names), list(table.wildcards)) == ([b"x.example"], [b".x.example"])
    assert table.any is before["*"][1]

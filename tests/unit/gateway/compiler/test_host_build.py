"""A table holds what covers a path where the path leads, and pays for templates and patterns when it has some."""

from gateway.compiler.host_build import build_host
from gateway.compiler.matches import Placed
from gateway.exchange import Exchange
from gateway.routing.pattern_routes import PatternRoutes
from gateway.routing.table import Candidate, HostRoutes, in_order
from meshway.model.match import PathMatch
from tests.parts.calls import call
from tests.parts.plans import plan


def is_get(exchange: Exchange) -> bool:
    return exchange.method == b"GET"


def open_(name: str, rank: int) -> Candidate:
    return Candidate((rank,), plan(name))


def get(name: str, rank: int) -> Candidate:
    return Candidate((rank,), plan(name), is_get)


def names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [found.plan.rule for found in candidates]


def matched(host: HostRoutes, path: str, method: str = "GET") -> str:
    found = host.match(call(path, method=method))
    return "none" if found is None else found.rule


def test_what_stands_behind_a_candidate_that_takes_everything_is_left_out() -> None:
    assert names(in_order([open_("last", 3), open_("open", 2), get("first", 1)])) == ["first", "open"]


def test_an_exact_path_and_a_deep_prefix_hold_all_that_covers_them() -> None:
    host = build_host(
        [
            Placed(PathMatch(exact="/a/b"), get("exact", 1)),
            Placed(PathMatch(prefix="/a"), open_("short", 3)),
            Placed(PathMatch(prefix="/a/b"), get("long", 2)),
            Placed(PathMatch(prefix=""), open_("all", 4)),
        ]
    )
    assert type(host) is HostRoutes
    assert names(host.exact[b"/a/b"]) == ["exact", "long", "short"]
    assert names(host.root.candidates) == ["all"]
    assert names(host.root.children[b"a"].candidates) == ["short"]
    assert names(host.root.children[b"a"].children[b"b"].candidates) == ["long", "short"]


def test_a_segment_without_a_prefix_of_its_own_has_what_is_above_it() -> None:
    host = build_host(
        [Placed(PathMatch(prefix="/a/b/c"), open_("deep", 1)), Placed(PathMatch(prefix=""), open_("all", 2))]
    )
    assert names(host.root.children[b"a"].children[b"b"].candidates) == ["all"]
    assert matched(host, "/a/b/x") == "all"


def test_an_exact_path_holds_the_templates_and_patterns_that_cover_it_from_the_start() -> None:
    host = build_host(
        [
            Placed(PathMatch(exact="/a/b"), get("exact", 1)),
            Placed(PathMatch(template="/a/{x}"), get("template", 2)),
            Placed(PathMatch(exact="/A/B", ignore_case=True), get("folded", 3)),
            Placed(PathMatch(regex="/a/[a-z]"), get("regex", 4)),
            Placed(PathMatch(string_prefix="/a/"), open_("text", 5)),
        ]
    )
    assert isinstance(host, PatternRoutes)
    assert names(host.exact[b"/a/b"]) == ["exact", "template", "folded", "regex", "text"]
    assert matched(host, "/a/b", "PUT") == "text"
    assert matched(host, "/a/c") == "template"
    assert matched(host, "/A/b") == "folded"
    assert matched(host, "/ab") == "none"


def test_a_literal_segment_and_a_name_both_lead_on() -> None:
    host = build_host(
        [
            Placed(PathMatch(template="/{a}/x"), open_("name", 2)),
            Placed(PathMatch(template="/lit/{b}"), get("literal", 1)),
            Placed(PathMatch(template="/lit/y/{c}"), open_("deep", 3)),
        ]
    )
    assert matched(host, "/lit/x") == "literal"
    assert matched(host, "/lit/x", "PUT") == "name"
    assert matched(host, "/other/x") == "name"
    assert matched(host, "/lit/y/z") == "deep"
    assert matched(host, "/lit/") == "none"


def test_the_rest_begins_behind_a_slash_and_may_be_empty() -> None:
    host = build_host([Placed(PathMatch(template="/files/{path=**}"), open_("files", 1))])
    found = {path: matched(host, path) for path in ("/files", "/files/", "/files/a", "/files/a/b/", "/filesa")}
    assert found == {
        "/files": "none",
        "/files/": "files",
        "/files/a": "files",
        "/files/a/b/": "files",
        "/filesa": "none",
    }

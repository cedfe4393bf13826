"""Where a path leads to in a host with templates, expressions, or letters whose case does not count.

Which of what is found goes first is proved against a reference matcher in test_reference.py.
"""

from gateway.compiler.host_build import build_host
from gateway.compiler.matches import Placed
from gateway.routing.pattern_routes import _REMEMBERED, PatternRoutes
from gateway.routing.table import Candidate
from meshway.model.match import Match, PathMatch
from meshway.model.precedence import match_rank
from tests.parts.calls import call
from tests.parts.plans import plan


def placed(path: PathMatch, at: int) -> Placed:
    return Placed(path, Candidate((*match_rank(Match(path=path)), at), plan(str(at))))


def host(*paths: PathMatch) -> PatternRoutes:
    built = build_host(placed(path, at) for at, path in enumerate(paths))
    assert isinstance(built, PatternRoutes)
    return built


def rule(routes: PatternRoutes, path: str) -> str:
    found = routes.match(call(path))
    return found.rule if found is not None else "none"


def test_a_literal_segment_and_a_name_lead_on_side_by_side() -> None:
    routes = host(
        PathMatch(template="/{a}/x/{b}"), PathMatch(template="/shop/{b}/end"), PathMatch(template="/{a}/{b}/{c}/last")
    )
    assert rule(routes, "/shop/x/end") == "1"
    assert rule(routes, "/shop/x/1") == "0"
    assert rule(routes, "/other/x/end") == "0"
    assert rule(routes, "/shop/x/end/last") == "2"
    assert rule(routes, "/shop/x") == "none"


def test_a_name_stands_for_no_empty_segment_and_the_rest_for_any() -> None:
    routes = host(PathMatch(template="/a/{id}"), PathMatch(template="/b/{rest=**}"))
    assert [rule(routes, path) for path in ("/a/1", "/a/", "/a", "/a/1/")] == ["0", "none", "none", "none"]
    assert [rule(routes, path) for path in ("/b/1", "/b/", "/b/1/2/", "/b")] == ["1", "1", "1", "none"]


def test_a_prefix_covers_what_a_template_leaves() -> None:
    routes = host(PathMatch(template="/a/{id}"), PathMatch(prefix="/a"), PathMatch(prefix=""))
    assert [rule(routes, path) for path in ("/a/1", "/a/1/2", "/a", "/b")] == ["0", "1", "1", "2"]


def test_expressions_are_asked_after_the_tree_and_the_longer_first() -> None:
    routes = host(
        PathMatch(regex="/.*"), PathMatch(regex="/a[0-9]+"), PathMatch(prefix="/a"), PathMatch(string_prefix="/a1x")
    )
    assert [rule(routes, path) for path in ("/a/1", "/a1", "/a1x", "/b")] == ["2", "1", "3", "0"]


def test_letters_fold_where_the_path_says_so() -> None:
    routes = host(
        PathMatch(exact="/Shop", ignore_case=True), PathMatch(prefix="/a/B", ignore_case=True), PathMatch(exact="/shop")
    )
    assert [rule(routes, path) for path in ("/SHOP", "/shop", "/A/b/C", "/a/bc")] == ["0", "2", "1", "none"]


def test_an_exact_path_knows_all_that_may_hold_for_it() -> None:
    tested = Candidate((0, -2, 0, False), plan("exact"), lambda _: False)
    routes = build_host(
        [
            Placed(PathMatch(exact="/a"), tested),
            placed(PathMatch(template="/{id}"), 1),
            placed(PathMatch(regex="/a"), 2),
        ]
    )
    assert isinstance(routes, PatternRoutes)
    assert [candidate.plan.rule for candidate in routes.exact[b"/a"]] == ["exact", "1"]
    assert rule(routes, "/a") == "1"


def test_what_callers_may_choose_does_not_grow_without_bound() -> None:
    """Each of the templates may hold or not, as the path has it: more sets of leaves than are remembered."""
    names = 13
    routes = host(
        *(
            PathMatch(template="/" + "/".join("x" if at == fixed else f"{{n{at}}}" for at in range(names)))
            for fixed in range(names)
        )
    )
    for number in range(1, 1 << names):
        segments = ["x" if number >> at & 1 else "y" for at in range(names)]
        assert rule(routes, "/" + "/".join(segments)) == str(segments.index("x"))
    assert len(routes._ordered) <= _REMEMBERED

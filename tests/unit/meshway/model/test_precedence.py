from typing import Any

import pytest

from meshway.model.match import Match, PathMatch, Source
from meshway.model.precedence import asked_at, match_rank, path_names
from meshway.model.route import Redirect, Route, Rule

# From the one that is asked first to the one that is asked last.
PATHS = [
    PathMatch(exact="/abcd"),
    PathMatch(exact="/ab"),
    PathMatch(exact="/ab", ignore_case=True),
    PathMatch(prefix="/abc/d"),
    PathMatch(template="/abc/{id}"),
    PathMatch(template="/abc/{rest=**}"),
    PathMatch(prefix="/abc"),
    PathMatch(prefix="/abc", ignore_case=True),
    PathMatch(template="/{a}/{b}"),
    PathMatch(template="/{a}"),
    PathMatch(prefix="/"),
    PathMatch(regex="/[a-z]+/[0-9]+"),
    PathMatch(string_prefix="/abcdefgh"),
    PathMatch(regex="/a"),
]


def test_paths_are_in_the_order_of_the_guide() -> None:
    ranks = [match_rank(Match(path=path)) for path in PATHS]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_no_path_is_the_prefix_of_all_and_a_slash_behind_a_prefix_does_not_count() -> None:
    assert match_rank(Match()) == match_rank(Match(path=PathMatch(prefix="/")))
    assert match_rank(Match(path=PathMatch(prefix="/a/"))) == match_rank(Match(path=PathMatch(prefix="/a")))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"methods": ("GET",)}, {"headers": {"a": "1", "b": "2"}}),
        ({"headers": {"a": "1"}, "cookies": {"b": "2"}}, {"headers": {"a": "1"}, "query": {"q": "1", "r": "2"}}),
        ({"query": {"q": "1", "r": "2"}}, {"query": {"q": "1"}, "scheme": "http"}),
        ({"scheme": "http", "source": Source(cidr=("10.0.0.0/8",))}, {"scheme": "http"}),
        ({"scheme": "http"}, {}),
    ],
)
def test_of_equal_paths_the_one_that_asks_for_more_goes_first(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert match_rank(Match(**first)) < match_rank(Match(**second))


def test_the_path_counts_before_everything_else_of_a_match() -> None:
    assert match_rank(Match(path=PathMatch(prefix="/ab"))) < match_rank(
        Match(path=PathMatch(prefix="/a"), methods=("GET",), headers={"a": "1"})
    )


def route(**fields: Any) -> Route:
    return Route(rules=(Rule(redirect=Redirect(scheme="https")),), **fields)


def test_among_routes_priority_then_the_match_then_age_then_name_then_place() -> None:
    narrow, wide = match_rank(Match(path=PathMatch(exact="/a"))), match_rank(Match())
    in_order = [
        asked_at(route(priority=5), wide, "2026-02", "default/z", 3, 0),
        asked_at(route(), narrow, "2026-02", "default/z", 3, 0),
        asked_at(route(), wide, "2026-01", "default/z", 3, 0),
        asked_at(route(), wide, "2026-02", "default/a", 3, 0),
        asked_at(route(), wide, "2026-02", "default/b", 1, 1),
        asked_at(route(), wide, "2026-02", "default/b", 2, 0),
        asked_at(route(priority=-1), narrow, "2026-01", "default/a", 0, 0),
    ]
    assert in_order == sorted(in_order)


def test_a_listed_route_goes_by_its_own_order() -> None:
    listed = route(order="listed")
    narrow, wide = match_rank(Match(path=PathMatch(exact="/a"))), match_rank(Match())
    in_order = [
        asked_at(listed, wide, "2026-02", "default/b", 0, 0),
        asked_at(listed, narrow, "2026-02", "default/b", 1, 0),
        asked_at(route(), narrow, "2026-01", "default/a", 0, 0),
    ]
    assert in_order == sorted(in_order)


def test_the_names_of_a_path() -> None:
    assert path_names(PathMatch(template="/{a}/x/{rest=**}")) == {"a", "rest"}
    assert path_names(PathMatch(regex="/(?P<id>[0-9]+)/(x)")) == {"id"}
    assert path_names(PathMatch(prefix="/{a}")) == frozenset()

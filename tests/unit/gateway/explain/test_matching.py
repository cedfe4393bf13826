"""What is told of a match is what the table did, for whatever documents and calls."""

from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from gateway.compiler.tables import Compiler
from gateway.exchange import MESH
from gateway.explain.matching import MOST_STRANGE, find_rule
from gateway.plan import Parts
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, running, to
from tests.parts.clock import ManualClock
from tests.unit.gateway.routing.test_reference import CALLS, MATCHES

HOSTS = st.lists(
    st.sampled_from(["shop.example", "*.example", "*", "a.shop.example", "*.shop.example"]),
    min_size=1,
    max_size=2,
    unique=True,
)
ROUTES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["specificity"] * 3 + ["listed"]),
        HOSTS,
        st.lists(MATCHES, min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


def compiled(*changes: Any) -> Compiler:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.5))
    assert compiler.snapshot(1, changes) == []
    return compiler


@settings(max_examples=100, deadline=None)
@given(ROUTES, CALLS, st.sampled_from(["shop.example", "a.shop.example", "b.example", "other.test"]))
def test_the_rule_told_is_the_rule_that_has_the_call_and_all_before_it_have_a_reason(
    routes: list[tuple[int, str, list[str], list[dict[str, Any]]]],
    calls: list[tuple[str, str, dict[str, str], dict[str, str]]],
    host: str,
) -> None:
    compiler = compiled(
        *(
            document(
                "Route",
                f"r{number}",
                edge_route(
                    *({"match": [match], "destinations": [{"service": "s"}]} for match in matches),
                    priority=priority,
                    order=order,
                    hosts=hosts,
                ),
            )
            for number, (priority, order, hosts, matches) in enumerate(routes)
        )
    )
    for path, method, headers, query in calls:
        target = path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
        note(f"{method} {host}{target} {headers}")
        exchange = call(target, host, method, headers)
        plan = compiler.tables.match(exchange)
        found = find_rule(compiler.state, exchange)
        assert found.plan is plan
        if plan is not None:
            assert found.route is not None
            assert found.placed is not None
            assert found.route.entry.title == plan.route
            assert found.placed.candidate.plan is plan
        # Without a reason it would have taken the call, and the table went by it.
        assert [tried for tried in found.tried if not tried.failed] == []
        assert len(found.tried) + found.left_out == _before(compiler, host, found.placed)


def _before(compiler: Compiler, host: str, won: Any) -> int:
    """Candidates of all tiers up to the one that has the call, counted the plain way."""
    count = 0
    names = ["shop.example", "a.shop.example", "*.shop.example", "*.example", "*"]
    for name in names:
        fits = name in ("*", host) or (name.startswith("*.") and host.endswith(name[1:]))
        if not fits or name not in compiler.state.edge:
            continue
        routes, _ = compiler.state.edge[name]
        ranked = sorted((one.candidate.rank, one) for route in routes for one in route.placed)
        for _, one in ranked:
            if won is not None and one is won:
                return count
            count += 1
    return count


def test_a_reason_says_what_was_asked_and_what_the_call_has() -> None:
    rules = [
        {"name": "testers", "match": [{"headers": {"end-user": "jason"}}], "destinations": [{"service": "s"}]},
        {"name": "writes", "match": [{"methods": ["PUT", "POST"]}], "destinations": [{"service": "s"}]},
        {"name": "near", "match": [{"source": {"cidr": ["10.0.0.0/8"]}}], "destinations": [{"service": "s"}]},
        {"name": "beta", "match": [{"cookies": {"beta": {"present": True}}}], "destinations": [{"service": "s"}]},
        {"name": "v", "match": [{"query": {"v": {"prefix": "2", "invert": True}}}], "destinations": [{"service": "s"}]},
        {"name": "https", "match": [{"scheme": "https"}], "destinations": [{"service": "s"}]},
        to("s", {"exact": "/else"}, name="elsewhere"),
        to("s", name="all"),
    ]
    compiler = compiled(document("Route", "r", edge_route(*rules, order="listed")))
    found = find_rule(compiler.state, call("/a?v=21", headers={"end-user": "bob"}))
    assert found.plan is not None
    assert found.plan.rule == "all"
    assert {tried.rule: tried.failed for tried in found.tried} == {
        "testers": 'header end-user is "jason": it is "bob"',
        "writes": "method PUT or POST: it is GET",
        "near": "address in 10.0.0.0/8: it is 127.0.0.1",
        "beta": "cookie beta is there: it is absent",
        "v": 'query parameter v does not begin with "2": it is "21"',
        "https": "scheme https: it is http",
        "elsewhere": "path /a is not /else",
    }
    assert [tried.path for tried in found.tried][:2] == ["spec.rules[0].match[0]", "spec.rules[1].match[0]"]


def test_of_many_other_paths_the_nearest_are_told_and_the_rest_counted() -> None:
    rules = [to("s", {"exact": f"/{number:03}"}) for number in range(100)]
    compiler = compiled(document("Route", "r", edge_route(*rules, to("s", name="all"))))
    found = find_rule(compiler.state, call("/x"))
    assert found.plan is not None
    assert found.plan.rule == "all"
    assert (len(found.tried), found.left_out) == (MOST_STRANGE, 100 - MOST_STRANGE)


def test_a_service_without_a_route_has_its_implicit_one() -> None:
    compiler = compiled(running("books", "1"))
    found = find_rule(compiler.state, call(host="books.default.mesh", listener=MESH))
    assert found.plan is not None
    assert (found.plan.route, found.route, found.tried) == ("default/implicit:books", None, [])

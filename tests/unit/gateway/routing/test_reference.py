"""The compiled table gives every call to the rule that the plain reading of the documents gives it to."""

from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from gateway.compiler.tables import Compiler
from gateway.plan import Parts
from tests.parts.calls import call
from tests.parts.changes import document, edge_route
from tests.parts.clock import ManualClock
from tests.parts.reference_matcher import Rules, winner

WORDS = st.sampled_from(["a", "a", "b", "A"])
SEGMENTS = st.lists(WORDS, min_size=1, max_size=3).map(lambda words: "/" + "/".join(words))


@st.composite
def templates(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.one_of(WORDS, st.just("{}")), min_size=1, max_size=3))
    words = [word.replace("{}", f"{{n{at}}}") for at, word in enumerate(words)]
    if draw(st.booleans()) or not any("{" in word for word in words):
        words.append("{rest=**}")
    return "/" + "/".join(words)


FOLDED = st.sampled_from([{}, {}, {"ignore_case": True}])
PATHS = st.one_of(
    st.tuples(SEGMENTS, FOLDED).map(lambda pair: {"exact": pair[0]} | pair[1]),
    st.tuples(st.one_of(SEGMENTS, st.just("/"), st.just("/a/")), FOLDED).map(
        lambda pair: {"prefix": pair[0]} | pair[1]
    ),
    st.tuples(templates(), FOLDED).map(lambda pair: {"template": pair[0]} | pair[1]),
    st.tuples(st.sampled_from(["/a.*", "/(a|b)", "/[ab]/.*", "/.*", "/a/b"]), FOLDED).map(
        lambda pair: {"regex": pair[0]} | pair[1]
    ),
    st.tuples(SEGMENTS, FOLDED).map(lambda pair: {"string_prefix": pair[0]} | pair[1]),
)
KINDS: list[dict[str, object]] = [
    {"exact": "x"}, {"prefix": "x"}, {"suffix": "y"}, {"contains": "Y"}, {"in": ["x", "Y"]},
]  # fmt: skip
TESTS = st.one_of(
    st.sampled_from(["x", "xy"]),
    st.builds(
        lambda kind, ignore_case, invert: kind | {"ignore_case": ignore_case, "invert": invert},
        st.sampled_from(KINDS),
        st.booleans(),
        st.booleans(),
    ),
    st.booleans().map(lambda invert: {"regex": "x.*", "invert": invert}),
    st.booleans().map(lambda present: {"present": present}),
)
NAMED = st.dictionaries(st.sampled_from(["h", "k"]), TESTS, min_size=1, max_size=2)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "path": PATHS,
        "methods": st.just(["PUT"]),
        "headers": NAMED,
        "query": NAMED,
    },
)
ROUTES = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(["specificity"] * 4 + ["listed"]), st.lists(MATCHES, min_size=1, max_size=5)
    ),
    min_size=1,
    max_size=5,
)
VALUES = st.dictionaries(st.sampled_from(["h", "k"]), st.sampled_from(["x", "xy", "Y", "zz"]), max_size=2)
CALLS = st.lists(
    st.tuples(
        st.one_of(SEGMENTS, SEGMENTS.map(lambda path: path + "/"), st.just("/")),
        st.sampled_from(["GET", "PUT"]),
        VALUES,
        VALUES,
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=400, deadline=None)
@given(ROUTES, CALLS)
def test_the_table_agrees_with_the_reference(
    routes: list[tuple[int, str, list[dict[str, Any]]]], calls: list[tuple[str, str, dict[str, str], dict[str, str]]]
) -> None:
    rules: Rules = [(f"r{at}", *route) for at, route in enumerate(routes)]
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.5))
    changes = [
        document(
            "Route",
            name,
            edge_route(
                *({"match": [match], "destinations": [{"service": "s"}]} for match in matches),
                priority=priority,
                order=order,
            ),
        )
        for name, priority, order, matches in rules
    ]
    assert compiler.snapshot(1, changes) == []
    # Each call twice: what was put in order for the first one must serve the second.
    for path, method, headers, query in calls * 2:
        target = path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
        note(f"{method} {target} {headers}")
        plan = compiler.tables.match(call(target, method=method, headers=headers))
        found = "none" if plan is None else f"{plan.route.partition('/')[2]}.{plan.rule}"
        assert found == winner(rules, path, method, headers, query)

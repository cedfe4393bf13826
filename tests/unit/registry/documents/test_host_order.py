import itertools
import random

from meshway.model.match import Match, PathMatch
from meshway.model.route import Redirect, Route, Rule
from registry.documents.host_order import HostOrder
from registry.documents.shadows import covers
from tests.parts.registry_bench import Bench, written

PATHS = [
    None,
    PathMatch(prefix="/"),
    PathMatch(prefix="/a"),
    PathMatch(prefix="/a/b"),
    PathMatch(prefix="/A", ignore_case=True),
    PathMatch(exact="/a/b"),
    PathMatch(exact="/ab"),
    PathMatch(string_prefix="/a"),
    PathMatch(string_prefix="/A/B", ignore_case=True),
    PathMatch(template="/a/{id}"),
    PathMatch(template="/a/{rest=**}"),
    PathMatch(regex="/a/[0-9]+"),
    PathMatch(regex="/(a|b)"),
]


def order_of(*routes: Route) -> HostOrder:
    bench = Bench()
    rows = []
    for at, route in enumerate(routes):
        rules = [
            {"match": [plain_match(one) for one in rule.match], "redirect": {"scheme": "https"}} for rule in route.rules
        ]
        bench.apply(
            written("Route", f"r{at}", {"hosts": [f"h{at}.example"], "rules": rules, "priority": route.priority})
        )
        row = bench.view.document(("Route", "default", f"r{at}"))
        assert row is not None
        rows.append(row)
    return HostOrder(rows)


def plain_match(match: Match) -> dict[str, object]:
    told: dict[str, object] = {}
    if match.path is not None:
        fields = ("exact", "prefix", "template", "regex", "string_prefix")
        told["path"] = {name: text for name in fields if (text := getattr(match.path, name)) is not None} | (
            {"ignore_case": True} if match.path.ignore_case else {}
        )
    if match.methods:
        told["methods"] = list(match.methods)
    return told


def rule(path: PathMatch | None, *methods: str) -> Rule:
    return Rule(match=(Match(path=path, methods=methods),), redirect=Redirect(scheme="https"))


def test_whoever_is_found_by_the_path_is_who_is_found_by_asking_all() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(40):
        routes = [
            Route(
                rules=tuple(
                    rule(chance.choice(PATHS), *chance.choice([(), ("GET",), ("GET", "PUT")])) for _ in range(2)
                ),
                priority=chance.choice([0, 0, 1]),
            )
            for _ in range(6)
        ]
        order = order_of(*routes)
        for asked in order.asked:
            wider = [
                other
                for other in itertools.takewhile(lambda other: other.rank < asked.rank, order.asked)  # noqa: B023
                if (other.of, other.rule) != (asked.of, asked.rule) and covers(other.match, asked.match)
            ]
            assert order.taker(asked) == (wider[0] if wider else None)


def test_the_order_is_that_of_the_gateways() -> None:
    order = order_of(
        Route(rules=(rule(PathMatch(regex="/a.*")), rule(PathMatch(prefix="/a")), rule(PathMatch(exact="/a")))),
        Route(rules=(rule(None),), priority=1),
    )
    assert [(asked.of[2], asked.rule) for asked in order.asked] == [("r1", 0), ("r0", 2), ("r0", 1), ("r0", 0)]

"""Endpoints, shares and admissions as they stand; asking moves nothing."""

from typing import Any

from gateway.compiler.tables import Compiler
from gateway.explain.explaining import explain
from gateway.plan import Parts
from gateway.upstream.transition import Transition
from meshway.explanation import Explanation
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, running, to
from tests.parts.clock import ManualClock

ROUND_ROBIN = document("TrafficPolicy", "rr", {"load_balancer": {"algorithm": "round_robin"}})


class Bench:
    def __init__(self, *changes: Any) -> None:
        self.clock = ManualClock()
        self.compiler = Compiler(Parts(now=self.clock, random=lambda: 0.5))
        assert self.compiler.snapshot(7, changes) == []

    def told(self) -> Explanation:
        return explain(self.compiler.state, call(), self.clock(), "gw-1", caller="127.0.0.1")

    def picks(self, count: int) -> list[str]:
        picked = []
        for _ in range(count):
            pick = self.compiler.tables.clusters["default/books"].first_pick
            assert pick is not None
            picked.append(pick(call()).id)
        return picked


def test_each_endpoint_is_told_with_its_state_and_share() -> None:
    bench = Bench(
        running("books", "1", weight=3),
        running("books", "2"),
        running("books", "3", status="draining"),
        running("books", "4"),
        document("Route", "r", edge_route(to("books"))),
    )
    key = ("default", "books", "4")
    bench.compiler.tables.apply_transition(Transition(kind="ejected", endpoint=key, until_s=bench.clock() + 22.0))
    (destination,) = bench.told().destinations
    told = {each.id: (each.state, each.eligible, each.share_percent, each.why) for each in destination.endpoints}
    assert told == {
        "1": ("passing", True, 75.0, ""),
        "2": ("passing", True, 25.0, ""),
        "3": ("draining", False, 0.0, "the registry says draining"),
        "4": ("ejected", False, 0.0, "ejected for 22.0 s more: its calls failed"),
    }


def test_asking_takes_nobodys_turn_and_the_next_call_goes_where_it_was_told() -> None:
    bench = Bench(
        *(running("books", str(n)) for n in (1, 2, 3)), ROUND_ROBIN, document("Route", "r", edge_route(to("books")))
    )
    assert bench.picks(1) == ["1"]
    for _ in range(3):
        picked = bench.told().picked
        assert picked is not None
        assert picked.endpoint == "2"
    assert bench.picks(4) == ["2", "3", "1", "2"]


def test_an_open_breaker_answers_and_names_its_policy() -> None:
    policy = document("TrafficPolicy", "p", {"breaker": {"failure_percent": 10}})
    bench = Bench(running("books", "1"), policy, document("Route", "r", edge_route(to("books"))))
    assert bench.told().destinations[0].admission == "breaker closed"
    bench.compiler.tables.apply_transition(
        Transition(kind="breaker_opened", cluster="default/books", until_s=bench.clock() + 5.0, count=1)
    )
    told = bench.told()
    assert told.answered is not None
    assert (told.answered.status, told.answered.document) == (503, "TrafficPolicy default/p")
    assert told.picked is None
    bench.clock.now_s += 6.0
    assert bench.told().destinations[0].admission == "breaker half open: this call probes"
    assert bench.compiler.tables.clusters["default/books"].breaker.state == "open", "asking is no probe"  # type: ignore[union-attr]


def test_a_bulkhead_that_is_full_is_told_as_it_stands() -> None:
    policy = document("TrafficPolicy", "p", {"bulkhead": {"max_requests": 1, "max_pending": 0}})
    bench = Bench(running("books", "1"), policy, document("Route", "r", edge_route(to("books"))))
    assert bench.told().destinations[0].admission == "bulkhead has room"
    assert bench.compiler.tables.clusters["default/books"].admit(call(), lambda _: None) is None
    told = bench.told()
    assert told.answered is not None
    assert (told.answered.reason, told.answered.document) == ("pending_full", "TrafficPolicy default/p")


def test_a_split_tells_the_shares_of_all_its_destinations() -> None:
    split = {"destinations": [{"service": "books", "weight": 90}, {"service": "films", "weight": 10}]}
    bench = Bench(running("books", "1"), running("films", "1"), document("Route", "r", edge_route(split)))
    told = bench.told()
    assert [(each.service, each.share_percent, each.path) for each in told.destinations] == [
        ("default/books", 90.0, "spec.rules[0].destinations[0]"),
        ("default/films", 10.0, "spec.rules[0].destinations[1]"),
    ]
    assert told.picked is not None


def test_a_service_without_instances_is_told_as_the_answer() -> None:
    bench = Bench(document("Service", "books", {}), document("Route", "r", edge_route(to("books"))))
    told = bench.told()
    assert told.answered is not None
    assert (told.answered.reason, told.answered.document) == ("no_endpoint", "service default/books")


def test_a_limit_is_told_as_it_stands_and_refuses_when_it_is_spent() -> None:
    limit = document("RateLimit", "two", {"targets": [{"route": "r"}], "token_bucket": {"rate": "1/m", "burst": 2}})
    bench = Bench(running("books", "1"), limit, document("Route", "r", edge_route(to("books"))))
    plan = bench.compiler.tables.match(call())
    assert plan is not None
    for left in (2, 1):
        told = bench.told().filters[0]
        assert (told.document, told.verdict, told.detail.partition(" left")[0]) == (
            "RateLimit default/two",
            "pass",
            f"{left} of 2",
        )
        assert bench.told().answered is None
        assert plan.request_filters[0](call()) is None
    answered = bench.told().answered
    assert answered is not None
    assert (answered.status, answered.document) == (429, "RateLimit default/two")


def test_an_access_policy_is_told_with_its_rule_and_the_caller() -> None:
    spec = {
        "targets": [{"service": "books"}],
        "rules": [{"name": "no-gets", "action": "deny", "to": [{"methods": ["GET"]}]}],
    }
    locked = document("AccessPolicy", "p", spec)
    told = Bench(running("books", "1"), document("Route", "r", edge_route(to("books"))), locked).told()
    (access,) = told.filters
    assert (access.name, access.verdict, access.document) == ("access", "refuse", "AccessPolicy default/p")
    assert access.detail == "rule no-gets denies this call; the caller is anonymous at 127.0.0.1"
    assert told.answered is not None
    assert (told.answered.status, told.answered.reason) == (403, "denied")
    rewritten = document("Route", "r", edge_route(to("books", rewrite={"host": "books.internal"})))
    told = Bench(running("books", "1"), rewritten, locked).told()
    assert told.answered is not None
    assert (told.answered.status, told.answered.document) == (403, "AccessPolicy default/p")
    assert "rule no-gets denies this call" in told.answered.detail


def test_how_instances_are_spoken_to_is_told_with_whose_word_it_is() -> None:
    def modes(*changes: Any) -> list[tuple[str, str]]:
        route = document("Route", "r", edge_route(to("books")))
        told = Bench(route, running("books", "1"), *changes).told()
        return [
            (each.value, each.document)
            for way in told.destinations
            for each in way.settings
            if each.field == "tls.mode"
        ]

    policy = document("TrafficPolicy", "secure", {"tls": {"mode": "simple"}})
    strict = document("Namespace", "default", {"mtls": "strict"}, "mesh")
    assert modes() == []
    assert modes(policy) == [("simple", "TrafficPolicy default/secure")]
    assert modes(policy, strict) == [("mesh", "Namespace mesh/default")]

from typing import Any

from registry.documents.applying import Written
from tests.parts.registry_bench import Bench, route_to, written

SUBSETS = {"subsets": [{"name": "v1", "match": {"version": "v1"}}, {"name": "v2", "match": {"version": "v2"}}]}


def warned(bench: Bench, *documents: Written) -> list[tuple[str, str]]:
    return [(one.code, one.path) for one in bench.apply(*documents).warnings]


def policy(spec: dict[str, Any]) -> Written:
    return written("TrafficPolicy", "p", spec)


def test_a_subset_nobody_is_in_is_told() -> None:
    bench = Bench()
    bench.register(version="v1")
    bench.apply(written("Service", "books", SUBSETS))
    assert warned(bench, route_to("books", subset="v1")) == []
    path = "spec.rules[0].destinations[0].subset"
    assert warned(bench, route_to("books", "s", "/s", subset="v2")) == [("no_instances", path)]


def test_static_endpoints_are_instances_enough() -> None:
    static = written("Service", "old", {"type": "static", "endpoints": [{"address": "10.0.0.1", "port": 80}]})
    assert warned(Bench(), static, route_to("old")) == []


def test_a_rule_behind_its_equal_is_told() -> None:
    bench = Bench()
    bench.register()
    rules = [{"destinations": [{"service": "books"}]}, {"match": [{}], "redirect": {"host": "a.example"}}]
    assert warned(bench, written("Route", "r", {"rules": rules})) == [("shadowed_rule", "spec.rules[1]")]


def test_a_policy_that_says_nothing_is_told() -> None:
    assert warned(Bench(), policy({})) == [("unused_policy", "spec")]


def test_a_policy_for_a_subset_no_route_uses_is_told() -> None:
    bench = Bench()
    bench.register(version="v1")
    bench.register(instance_id="b2", version="v2")
    bench.apply(written("Service", "books", SUBSETS), route_to("books", subset="v1"))
    targets = [{"service": "books", "subset": name} for name in ("v1", "v2")]
    found = warned(bench, policy({"targets": targets, "retry": {"max_retries": 2}}))
    assert found == [("unused_policy", "spec.targets[1].subset")]


def test_a_service_without_instances_is_told_once_however_many_rules_lead_there() -> None:
    bench = Bench()
    rules = [
        {
            "match": [{"path": {"prefix": f"/{at}"}}],
            "destinations": [{"service": "books"}, {"service": "books", "subset": "v1"}],
        }
        for at in range(3)
    ]
    documents = [
        written("Service", "books", SUBSETS),
        written("Route", "a", {"rules": rules}),
        route_to("books", "b", "/b"),
    ]
    assert warned(bench, *documents) == [("no_instances", "spec.rules[0].destinations[0].service")]


def test_each_empty_subset_of_a_service_that_has_instances_is_told_once() -> None:
    bench = Bench()
    bench.register(version="v1")
    documents = [written("Service", "books", SUBSETS)]
    documents += [route_to("books", f"r{at}", f"/{at}", subset="v2") for at in range(3)]
    assert warned(bench, *documents) == [("no_instances", "spec.rules[0].destinations[0].subset")]

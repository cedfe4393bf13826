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


def route(name: str, *matches: dict[str, Any], **fields: Any) -> Written:
    """One rule a match, for shop.example unless fields say otherwise."""
    rules = [{"match": [match], "redirect": {"scheme": "https"}} for match in matches]
    return written("Route", name, {"hosts": ["shop.example"], "rules": rules} | fields)


def shadows(bench: Bench, *documents: Written) -> list[tuple[str, str]]:
    return [(one.document, one.path) for one in bench.apply(*documents).warnings if one.code == "shadowed_rule"]


PATTERN = {"path": {"regex": "/[0-9]+"}}
REST = {"path": {"prefix": "/"}}


def test_a_rule_that_another_route_leaves_no_call_is_told_whichever_of_the_two_is_written() -> None:
    dead = [("Route default/numbers", "spec.rules[0]")]
    assert shadows(Bench(), route("numbers", PATTERN), route("shop", REST)) == dead
    bench = Bench()
    assert shadows(bench, route("numbers", PATTERN)) == []
    assert shadows(bench, route("shop", REST)) == dead
    (warning,) = bench.apply(route("shop", REST, {"path": {"exact": "/a"}})).warnings
    assert "spec.rules[0] of Route default/shop is asked before on host shop.example" in warning.message


def test_a_higher_priority_and_another_host_count() -> None:
    bench = Bench()
    assert shadows(bench, route("shop", REST), route("numbers", PATTERN, priority=1)) == []
    assert shadows(bench, route("other", PATTERN, hosts=["other.example"])) == []
    found = shadows(bench, route("all", {"headers": {"x-a": "1"}}, {}, priority=2))
    assert found == [("Route default/numbers", "spec.rules[0]"), ("Route default/shop", "spec.rules[0]")]


def test_a_rule_is_alive_while_one_of_its_hosts_or_matches_is() -> None:
    bench = Bench()
    both = {"hosts": ["shop.example", "other.example"]}
    assert shadows(bench, route("shop", REST), route("numbers", PATTERN, **both)) == []
    assert shadows(bench, route("too", REST, hosts=["other.example"])) == [("Route default/numbers", "spec.rules[0]")]
    rule = {"match": [{"path": {"regex": "/[a-z]+"}}, {"path": {"exact": "/a"}}], "redirect": {"scheme": "https"}}
    assert shadows(bench, written("Route", "two", {"hosts": ["shop.example"], "rules": [rule]})) == []


def test_what_its_own_route_shadows_is_told_once() -> None:
    bench = Bench()
    bench.apply(route("shop", REST))
    found = shadows(bench, route("mine", {"path": {"prefix": "/a"}}, {"path": {"regex": "/a/[0-9]+"}}))
    assert found == [("Route default/mine", "spec.rules[1]")]


def test_a_route_that_was_dead_before_is_not_told_with_every_write() -> None:
    bench = Bench()
    bench.apply(route("numbers", PATTERN), route("shop", REST))
    assert shadows(bench, route("books", {"path": {"exact": "/books"}})) == []


def test_a_method_that_is_none_is_told_with_the_one_that_was_meant() -> None:
    bench = Bench()
    bench.register()
    rules = [{"match": [{"methods": ["GET", "GTE", "PURGE"]}], "destinations": [{"service": "books"}]}]
    (warning,) = bench.apply(written("Route", "r", {"rules": rules})).warnings
    path = "spec.rules[0].match[0].methods[1]"
    assert (warning.code, warning.path) == ("unknown_method", path)
    assert warning.message == f'{path}: "GTE" is no method that is known (did you mean GET?)'
    limit = {"targets": [{"service": "books"}], "match": [{"methods": ["FROB"]}], "token_bucket": {"rate": "1/s"}}
    assert warned(bench, written("RateLimit", "l", limit)) == [("unknown_method", "spec.match[0].methods[0]")]


def test_an_attempt_that_may_take_longer_than_its_call_is_told() -> None:
    bench = Bench()
    bench.register()
    rules = [{"timeouts": {"deadline": "3s", "attempt": "5s"}, "destinations": [{"service": "books"}]}]
    (warning,) = bench.apply(written("Route", "r", {"rules": rules})).warnings
    assert (warning.code, warning.path) == ("attempt_exceeds_deadline", "spec.rules[0].timeouts.attempt")
    assert warning.message.endswith("an attempt never takes 5s: the deadline ends the call after 3s")
    fine = policy({"timeouts": {"deadline": "0s", "attempt": "5s"}})
    assert warned(bench, fine) == []
    assert warned(bench, policy({"timeouts": {"deadline": "1s", "attempt": "2s"}})) == [
        ("attempt_exceeds_deadline", "spec.timeouts.attempt")
    ]


def test_a_mesh_host_that_names_no_service_is_told() -> None:
    bench = Bench()
    bench.register("reviews")
    bench.apply(written("Service", "ratings", {"aliases": ["stars.example", "stars"]}, "shop"))
    hosts = [
        "reviws", "reviews", "reviews.default", "reviews.default.mesh", "ratings.shop", "stars.example", "stars",
        "api.example.com",
    ]  # fmt: skip
    spec = {"listeners": ["mesh"], "hosts": hosts, "rules": [{"destinations": [{"service": "reviews"}]}]}
    told = bench.apply(written("Route", "r", spec)).warnings
    assert [(one.code, one.path) for one in told] == [
        ("unknown_host", "spec.hosts[0]"),
        ("unknown_host", "spec.hosts[6]"),  # another namespace's alias without a dot would take over what is named so
        ("unknown_host", "spec.hosts[7]"),
    ]
    assert '"reviws" names no service' in told[0].message
    assert "did you mean reviews?" in told[0].message
    edge = {"hosts": ["api.example.com"], "rules": [{"destinations": [{"service": "reviews"}]}]}
    assert warned(bench, written("Route", "e", edge)) == []


def test_of_many_wrong_mesh_hosts_the_first_are_told_with_what_was_meant() -> None:
    bench = Bench()
    bench.register("reviews")
    hosts = [f"review-{at}" for at in range(20)]
    spec = {"listeners": ["mesh"], "hosts": hosts, "rules": [{"destinations": [{"service": "reviews"}]}]}
    told = bench.apply(written("Route", "r", spec)).warnings
    assert [one.path for one in told] == [f"spec.hosts[{at}]" for at in range(20)]
    # Each likeness is sought among all services of a namespace, and the loop waits meanwhile.
    assert [at for at, one in enumerate(told) if "did you mean reviews?" in one.message] == [0, 1, 2, 3, 4]


def test_a_namespace_that_is_weaker_than_a_strict_mesh_is_told() -> None:
    def namespace(mtls: str) -> Written:
        return written("Namespace", "shop", {"mtls": mtls}, namespace="mesh")

    def mesh(mtls: str) -> Written:
        return written("MeshSettings", "mesh", {"mtls": mtls}, namespace="mesh")

    bench = Bench()
    assert warned(bench, namespace("permissive")) == []
    assert warned(bench, mesh("permissive")) == []
    assert warned(bench, mesh("strict")) == [("weaker_than_mesh", "spec.mtls")]
    assert warned(bench, namespace("strict")) == []
    assert warned(bench, namespace("permissive")) == [("weaker_than_mesh", "spec.mtls")]


def test_a_check_that_lets_calls_pass_unasked_is_told() -> None:
    bench = Bench()
    bench.register()
    external = {"service": {"service": "books"}}

    def check(**fields: Any) -> Written:
        return written("AccessPolicy", "a", {"external": external | fields})

    assert warned(bench, check()) == []
    assert warned(bench, check(on_failure="allow")) == [("fail_open", "spec.external.on_failure")]
    assert warned(bench, check(cache={"ttl": "1s"})) == []
    narrow = check(cache={"ttl": "1s", "key": ["path"]})
    assert warned(bench, narrow) == [("cache_narrower_than_check", "spec.external.cache.key")]
    assert warned(bench, check(when=[{"methods": ["GTE"]}])) == [
        ("unknown_method", "spec.external.when[0].methods[0]"),
    ]


def test_a_listener_that_others_reach_is_told() -> None:
    bench, network = Bench(), {"trusted_proxies": ["0.0.0.0/0", "10.0.0.0/8"]}
    for spec, told in (
        ({"port": 8080, "protocol": "http"}, []),
        ({"port": 443, "protocol": "https"}, ["privileged_port"]),
        ({"port": 8080, "protocol": "http", "address": "::"}, ["plaintext"]),
        ({"port": 8443, "protocol": "https", "address": "::"} | network, ["trusts_everyone"]),
    ):
        warnings = bench.apply(written("Listener", "partner", spec, "mesh")).warnings
        assert [each.code for each in warnings] == told

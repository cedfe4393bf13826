from __future__ import annotations

from typing import Any

import pytest

from meshway.problem import Problem
from meshway.sealing import KEY_BYTES, Sealing
from registry.documents.applying import Apply, Delete, Put, Written
from registry.documents.document_key import Guard, Key
from registry.documents.outcomes import Stored
from tests.parts.registry_bench import Bench, route_to, written


def put(bench: Bench, document: Written, **conditions: Any) -> Stored:
    return bench.commit(Put(document, "tests", **conditions))


def refusal(bench: Bench, *documents: Written, delete: tuple[Key, ...] = ()) -> Problem:
    before = bench.view.revision
    with pytest.raises(Problem) as refused:
        bench.apply(*documents, delete=delete)
    assert bench.view.revision == before
    return refused.value


def codes(problem: Problem) -> list[tuple[str, str]]:
    return [(error.path, error.code) for error in problem.errors]


SERVICE = written("Service", "books", {"subsets": [{"name": "v1", "match": {"version": "v1"}}]})


def test_an_apply_is_one_revision_and_a_repeated_one_is_none() -> None:
    bench = Bench()
    applied = bench.apply(SERVICE, route_to("books"))
    assert (applied.revision, [one.result for one in applied.documents]) == (1, ["created", "created"])
    again = bench.apply(SERVICE, route_to("books"))
    assert (again.revision, [one.result for one in again.documents]) == (1, ["unchanged", "unchanged"])
    assert bench.view.revision == 1


def test_a_change_says_what_changed_and_keeps_its_beginning() -> None:
    bench = Bench()
    bench.apply(SERVICE)
    bench.at += 100
    applied = bench.apply(SERVICE, route_to("books", priority=3))
    bench.at += 100
    applied = bench.apply(route_to("books", priority=4))
    (change,) = applied.documents[0].changes
    assert (change.path, change.before, change.after) == ("spec.priority", 3, 4)
    row = bench.view.document(("Route", "default", "r"))
    assert row is not None
    assert (row.created_at, row.updated_at, row.revision) == (1100.0, 1200.0, 3)
    assert row.answer().metadata.updated_by == "tests"


def test_a_reference_may_point_into_the_same_apply() -> None:
    bench = Bench()
    bench.apply(route_to("books", subset="v1"), SERVICE)
    assert bench.view.revision == 1


def test_dangling_references_are_errors_all_at_once_with_the_choices() -> None:
    bench = Bench()
    bench.apply(SERVICE)
    problem = refusal(bench, route_to("bocks"), route_to("books", "s", prefix="/s", subset="v3"))
    assert codes(problem) == [
        ("spec.rules[0].destinations[0].service", "unknown_reference"),
        ("spec.rules[0].destinations[0].subset", "unknown_reference"),
    ]
    assert "did you mean books" in problem.errors[0].message
    assert '"v3" is not a subset of Service default/books (it has v1)' in problem.errors[1].message
    assert [error.document for error in problem.errors] == ["Route default/r", "Route default/s"]


def test_a_service_without_document_is_a_reference_as_good() -> None:
    bench = Bench()
    bench.register()
    applied = bench.apply(route_to("books"))
    assert applied.warnings == []


def test_a_service_without_instances_is_a_warning() -> None:
    bench = Bench()
    applied = bench.apply(SERVICE, route_to("books"))
    assert [(one.code, one.path) for one in applied.warnings] == [
        ("no_instances", "spec.rules[0].destinations[0].service")
    ]


def test_an_unchanged_document_is_not_judged_again() -> None:
    bench = Bench()
    bench.register()
    bench.apply(route_to("books"))
    row = bench.view.instance(("default", "books", "b1"))
    assert row is not None
    bench.view.services.clear()
    assert bench.apply(route_to("books")).documents[0].result == "unchanged"


def test_targets_must_exist_too() -> None:
    bench = Bench()
    bench.apply(SERVICE, route_to("books"))
    policy = written(
        "TrafficPolicy",
        "p",
        {
            "targets": [
                {"service": "films"},
                {"service": "books", "subset": "v9"},
                {"route": "none", "rule": "x"},
                {"route": "r", "rule": "x"},
                {"route": "r", "rule": "all"},
            ],
            "retry": {"max_retries": 2},
        },
    )
    assert codes(refusal(bench, policy)) == [
        ("spec.targets[0].service", "unknown_reference"),
        ("spec.targets[1].subset", "unknown_reference"),
        ("spec.targets[2].route", "unknown_reference"),
        ("spec.targets[3].rule", "unknown_reference"),
    ]


def test_who_serves_in_place_of_a_service_must_exist_too() -> None:
    bench = Bench()
    bench.apply(SERVICE)
    substitutes = {
        "failover": [{"service": "books"}, {"service": "films"}],
        "breaker": {"fallback": {"destination": {"service": "books", "subset": "v9"}}},
    }
    policy = written("TrafficPolicy", "p", {"targets": [{"service": "books"}], **substitutes})
    assert codes(refusal(bench, policy)) == [
        ("spec.failover[1].service", "unknown_reference"),
        ("spec.breaker.fallback.destination.subset", "unknown_reference"),
    ]


def test_a_named_port_is_one_of_the_service_or_of_an_instance() -> None:
    bench = Bench()
    bench.register(ports={"admin": 9000})
    ok = [{"destinations": [{"service": "books", "port": name}]} for name in ("http", "admin")]
    bench.apply(written("Route", "ok", {"rules": [ok[0]]}))
    bench.apply(written("Route", "too", {"rules": [ok[1]], "hosts": ["a.example"]}))
    bad = written("Route", "bad", {"rules": [{"destinations": [{"service": "books", "port": "grpc"}]}]})
    assert "it has http, admin" in refusal(bench, bad).errors[0].message


def test_a_port_written_by_its_number_is_told_by_its_name() -> None:
    bench = Bench()
    bench.apply(written("Service", "books", {"ports": [{"name": "web", "port": 8080}]}))
    wrong = refusal(bench, written("Route", "r", {"rules": [{"destinations": [{"service": "books", "port": "8080"}]}]}))
    assert wrong.errors[0].message.endswith("is not a port of Service default/books (it has web; 8080 is port web)")


def test_two_routes_with_equal_rules_conflict_and_both_are_named() -> None:
    bench = Bench()
    bench.register()
    bench.apply(route_to("books", "one"))
    problem = refusal(bench, route_to("books", "two"))
    assert codes(problem) == [("spec", "conflict")]
    assert "Route default/one" in problem.errors[0].message
    bench.apply(route_to("books", "two", priority=1))


@pytest.mark.parametrize(
    ("first", "second"), [("listed", "specificity"), ("specificity", "listed"), ("listed", "listed")]
)
def test_a_listed_route_is_alone_on_its_hosts_at_its_priority_whoever_comes_first(first: str, second: str) -> None:
    bench = Bench()
    bench.register()

    def rules(path: str) -> list[dict[str, Any]]:
        return [{"match": [{"path": {"prefix": path}}], "destinations": [{"service": "books"}]}]

    bench.apply(written("Route", "first", {"rules": rules("/a"), "order": first}))
    problem = refusal(bench, written("Route", "second", {"rules": rules("/b"), "order": second}))
    assert codes(problem) == [("spec", "conflict")]
    assert "Route default/first has host * of the edge listener at priority 0" in problem.errors[0].message
    bench.apply(written("Route", "second", {"rules": rules("/b"), "order": second, "priority": 5}))
    bench.apply(written("Route", "first", {"rules": rules("/c"), "order": second}))


def test_two_policies_with_the_same_target_and_block_conflict() -> None:
    bench = Bench()
    bench.register()
    one = {"targets": [{"service": "books"}], "retry": {"max_retries": 2}}
    other = {"targets": [{"service": "books"}], "timeouts": {"attempt": "1s"}}
    bench.apply(written("TrafficPolicy", "one", one), written("TrafficPolicy", "other", other))
    assert codes(refusal(bench, written("TrafficPolicy", "third", one))) == [("spec", "conflict")]


def test_two_authentications_of_one_target_conflict() -> None:
    def asking(name: str, issuer: str, target: dict[str, str]) -> Any:
        jwt = {"issuer": issuer, "audiences": ["shop"], "jwks_uri": f"{issuer}/jwks"}
        return written("Authentication", name, {"targets": [target], "methods": [{"jwt": jwt}]})

    bench = Bench()
    bench.register()
    bench.apply(asking("one", "https://a.example", {"service": "books"}))
    bench.apply(asking("wide", "https://b.example", {"namespace": "default"}))
    bench.apply(asking("one", "https://b.example", {"service": "books"}))
    problem = refusal(bench, asking("other", "https://b.example", {"service": "books"}))
    assert codes(problem) == [("spec", "conflict")]
    assert problem.errors[0].message == (
        "spec: Authentication default/one has the word on who calls service default/books"
    ), problem.errors


def test_a_changed_document_does_not_conflict_with_itself() -> None:
    bench = Bench()
    bench.register()
    bench.apply(route_to("books"))
    bench.apply(route_to("books", priority=0, listeners=["edge", "mesh"], hosts=["books"]))


def test_a_document_named_twice_is_refused() -> None:
    assert codes(refusal(Bench(), SERVICE, SERVICE)) == [("", "duplicate")]
    problem = refusal(Bench(), SERVICE, delete=(Key("Service", "default", "books"),))
    assert codes(problem) == [("", "duplicate")]


def test_a_service_outlives_its_document_by_its_instances_and_that_is_told() -> None:
    bench = Bench()
    bench.apply(SERVICE)
    bench.register()
    applied = bench.apply(delete=(Key("Service", "default", "books"),))
    assert [row.result for row in applied.documents] == ["deleted"]
    assert [(told.code, told.document) for told in applied.warnings] == [("keeps_instances", "Service default/books")]
    assert "its 1 instance," in applied.warnings[0].message
    assert bench.apply(route_to("books")).warnings == [], "it is a service still"


def test_what_others_refer_to_is_not_taken_away() -> None:
    bench = Bench()
    bench.apply(SERVICE, route_to("books", subset="v1"))
    problem = refusal(bench, delete=(Key("Service", "default", "books"),))
    assert problem.status == 409
    assert problem.errors[0].document == "Route default/r"
    problem = refusal(bench, written("Service", "books", {}))
    assert problem.errors[0].path == "spec.rules[0].destinations[0].subset"


def test_a_whole_house_may_be_taken_down_in_one_apply() -> None:
    bench = Bench()
    bench.apply(SERVICE, route_to("books", subset="v1"))
    applied = bench.apply(delete=(Key("Service", "default", "books"), Key("Route", "default", "r")))
    assert [one.result for one in applied.documents] == ["deleted", "deleted"]
    assert bench.view.revision == 2


def test_deleting_what_is_gone_is_unchanged_in_an_apply_and_404_alone() -> None:
    bench = Bench()
    assert bench.apply(delete=(Key("Route", "default", "r"),)).documents[0].result == "unchanged"
    with pytest.raises(Problem) as refused:
        bench.commit(Delete(Key("Route", "default", "r"), "tests"))
    assert refused.value.status == 404
    assert bench.view.revision == 0


def test_a_stale_if_match_gets_the_current_document() -> None:
    bench = Bench()
    put(bench, SERVICE)
    put(bench, written("Service", "books", {"owner": "a"}), if_match=1)
    with pytest.raises(Problem) as refused:
        put(bench, written("Service", "books", {"owner": "b"}), if_match=1)
    assert refused.value.status == 412
    assert refused.value.extra["current"]["spec"] == {"owner": "a"}
    assert refused.value.extra["current"]["metadata"]["revision"] == 2
    with pytest.raises(Problem) as refused:
        bench.commit(Delete(Key("Service", "default", "books"), "tests", if_match=1))
    assert refused.value.status == 412


def test_create_only_refuses_what_is_there() -> None:
    bench = Bench()
    assert put(bench, SERVICE, create_only=True).result == "created"
    with pytest.raises(Problem) as refused:
        put(bench, SERVICE, create_only=True)
    assert refused.value.status == 412


def test_if_match_on_nothing_is_412() -> None:
    with pytest.raises(Problem) as refused:
        put(Bench(), SERVICE, if_match=3)
    assert refused.value.status == 412


def test_an_unchanged_put_keeps_its_revision() -> None:
    bench = Bench()
    put(bench, SERVICE)
    stored = put(bench, SERVICE)
    assert (stored.result, stored.revision, bench.view.revision) == ("unchanged", 1, 1)


def guarded(bench: Bench, document: Written, *guards: Guard) -> Problem | None:
    try:
        bench.commit(Apply([document], [], "tests", guards))
    except Problem as problem:
        return problem
    return None


def test_a_guarded_apply_is_made_on_what_was_read_or_not_at_all() -> None:
    bench = Bench()
    bench.apply(SERVICE)
    route = ("Route", "default", "r")
    assert guarded(bench, route_to("books"), Guard(*route, 0)) is None
    stale = guarded(bench, route_to("books", priority=4), Guard(*route, 0), Guard("Service", "default", "gone", 1))
    assert stale is not None
    assert (stale.status, stale.code, stale.extra["current"]["metadata"]["revision"]) == (412, "precondition_failed", 2)
    assert [error.document for error in stale.errors] == ["Route default/r", "Service default/gone"]
    assert bench.view.revision == 2
    assert guarded(bench, route_to("books", priority=4), Guard(*route, 2)) is None
    assert bench.view.revision == 3


def test_of_many_wrong_services_the_first_are_told_with_what_was_meant() -> None:
    bench = Bench()
    bench.register("books")
    wrong = [route_to(f"book-{at}", f"r{at}", f"/{at}") for at in range(20)]
    problem = refusal(bench, *wrong)
    assert len(problem.errors) == 20
    # Each likeness is sought among all services of a namespace, and the loop waits meanwhile.
    hinted = [at for at, error in enumerate(problem.errors) if "did you mean books" in error.message]
    assert hinted == [0, 1, 2, 3, 4]


HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2hzb21laGFzaA"
OWN_LISTENER = {"port": 9000, "protocol": "http"}


def test_routes_and_certificates_name_listeners_that_are_there_and_fit() -> None:
    bench = Bench()
    route = {"listeners": ["edge", "partner"], "rules": [{"respond": {"status": 200}}]}
    files = {"files": {"certificate": "c", "key": "k"}, "listeners": ["partner"]}

    def refused(*documents: Written) -> list[tuple[str, str]]:
        with pytest.raises(Problem) as raised:
            bench.apply(*documents)
        return [(error.path, error.code) for error in raised.value.errors]

    assert refused(written("Route", "r", route)) == [("spec.listeners[1]", "unknown_reference")]
    bench.apply(written("Listener", "partner", OWN_LISTENER, "mesh"), written("Route", "r", route))
    assert refused(written("Certificate", "c", files)) == [("spec.listeners[0]", "wrong_type")]
    secured = written("Listener", "partner", OWN_LISTENER | {"protocol": "https"}, "mesh")
    bench.apply(secured, written("Certificate", "c", files))
    inside = written("Listener", "inside", {"port": 9001, "protocol": "http", "face": "mesh"}, "mesh")
    assert refused(inside, written("Route", "s", route | {"listeners": ["inside"]})) == [
        ("spec.listeners[0]", "wrong_type")
    ]
    with pytest.raises(Problem) as raised:
        bench.apply(delete=(Key("Listener", "mesh", "partner"),))
    assert (raised.value.status, raised.value.code) == (409, "in_use")


def test_an_address_and_port_are_one_listeners_of_those_that_every_gateway_has() -> None:
    bench = Bench()
    bench.apply(written("Listener", "a", OWN_LISTENER, "mesh"))
    with pytest.raises(Problem) as raised:
        bench.apply(written("Listener", "b", OWN_LISTENER, "mesh"))
    assert [(error.code, error.message) for error in raised.value.errors] == [
        ("conflict", "spec: Listener mesh/a has port 9000 of 127.0.0.1")
    ]
    for spec in ({"address": "::1"}, {"enabled": False}, {"gateways": ["gw-1"]}):
        bench.apply(written("Listener", "b", OWN_LISTENER | spec, "mesh"))


SECRET_PROBLEMS = (
    ({"secret": "own"}, None),
    ({"secret": "shared"}, None),
    ({"secret": "shared", "namespace": "mesh"}, None),
    ({"secret": "shared", "namespace": "own"}, "unknown_reference"),
    ({"secret": "own", "namespace": "mesh"}, "unknown_reference"),
    ({"secret": "private", "namespace": "mesh"}, "unknown_reference"),
    ({"secret": "own", "key": "b"}, None),
    ({"secret": "own", "key": "c"}, "wrong_type"),
)


@pytest.mark.parametrize(("wanted", "code"), SECRET_PROBLEMS)
def test_a_secret_is_found_where_and_by_the_text_that_is_asked_for(wanted: dict[str, str], code: str | None) -> None:
    bench, sealing = Bench(), Sealing(bytes(KEY_BYTES))
    opaque = {"type": "opaque", "data": {"a": "1", "b": "2", "client_secret": "3"}}
    secrets = [
        written("Secret", "own", opaque),
        written("Secret", "shared", opaque | {"share_with": ["default"]}, "mesh"),
        written("Secret", "private", opaque, "mesh"),
    ]
    oidc = {"issuer": "https://id.example", "client_id": "shop", "client_secret": wanted}
    route = written("Route", "r", {"rules": [{"respond": {"status": 200}}]})
    spec = {"targets": [{"route": "r"}], "methods": [{"oidc": oidc}]}
    bench.commit(Apply([*secrets, route], (), "tests", sealing=sealing))
    write = Apply([written("Authentication", "a", spec)], (), "tests", sealing=sealing)
    if code is None:
        bench.commit(write)
        return
    with pytest.raises(Problem) as raised:
        bench.commit(write)
    assert [(error.path, error.code) for error in raised.value.errors] == [("spec.methods[0].oidc.client_secret", code)]


def test_only_an_opaque_secret_has_texts_to_choose_from() -> None:
    bench, sealing = Bench(), Sealing(bytes(KEY_BYTES))
    users = {"type": "basic_users", "data": [{"username": "ada", "hash": HASH}]}
    spec = {"methods": [{"basic": {"secret": {"secret": "users", "key": "ada"}}}]}
    documents = [written("Secret", "users", users), written("Authentication", "a", spec)]
    with pytest.raises(Problem, match="key is for Secrets of type opaque"):
        bench.commit(Apply(documents, (), "tests", sealing=sealing))

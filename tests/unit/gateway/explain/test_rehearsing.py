"""Recorded calls by today's and by other tables."""

from typing import Any

import msgspec

from gateway.compiler.tables import Compiler
from gateway.explain.rehearsing import Clock, Rehearsed, rehearse
from gateway.plan import Parts
from gateway.telemetry.recorder import Recorded
from meshway.rehearsal import Rehearsal, merged
from tests.parts.changes import document, edge_route, running, to


def tables(*changes: Any) -> Rehearsed:
    clock = Clock()
    compiler = Compiler(Parts(now=clock, random=lambda: 0.999, wall=clock))
    assert compiler.snapshot(1, [running("books", "1"), running("films", "1"), *changes]) == []
    return Rehearsed(compiler.state, clock)


def recorded(target: str, at: float = 1000.0, seen: int = 1, peer: str = "127.0.0.1", **headers: str) -> Recorded:
    fields = list(headers.items())
    return Recorded(at, seen, "edge", peer, "http", "GET", "shop.example", target, fields)


def route(*rules: Any) -> Any:
    return document("Route", "r", edge_route(*rules))


def kinds(told: Rehearsal) -> list[tuple[str, int, str, str]]:
    return [
        (
            each.kind,
            each.calls,
            each.before.reason or ",".join(each.before.to),
            each.after.reason or ",".join(each.after.to),
        )
        for each in told.differences
    ]


def test_what_goes_elsewhere_is_refused_or_let_in_is_told_with_the_calls_it_stands_for() -> None:
    today = tables(route(to("books", {"prefix": "/a"}), to("books", {"prefix": "/b"})))
    proposed = tables(
        route(to("films", {"prefix": "/a"}), to("books", {"prefix": "/c"}), to("books", {"prefix": "/d"}))
    )
    calls = [recorded("/a/1", seen=90), recorded("/b", seen=9), recorded("/c"), recorded("/x", seen=5)]
    told = rehearse(today, proposed, calls, "gw-1")
    assert (told.recorded, told.calls, told.same) == (4, 105, 5)
    assert kinds(told) == [
        ("elsewhere", 90, "default/books", "default/films"),
        ("refused", 9, "default/books", "no_route"),
        ("let_in", 1, "no_route", "default/books"),
    ]
    assert told.differences[0].examples[0].path == "/a/1"


def test_equal_tables_change_nothing() -> None:
    split = {"destinations": [{"service": "books", "weight": 90}, {"service": "films", "weight": 10}]}
    change = route(split)
    told = rehearse(tables(change), tables(change), [recorded(f"/{number}") for number in range(20)], "gw-1")
    assert (told.same, told.differences) == (20, [])


def test_another_share_is_elsewhere_and_another_path_is_told() -> None:
    def split(share: int) -> Any:
        return {"destinations": [{"service": "books", "weight": 100 - share}, {"service": "films", "weight": share}]}

    told = rehearse(tables(route(split(10))), tables(route(split(20))), [recorded("/")], "gw-1")
    assert kinds(told) == [
        ("elsewhere", 1, "default/books 90 %,default/films 10 %", "default/books 80 %,default/films 20 %")
    ]
    rewritten = to("books", rewrite={"path": {"full": "/new"}})
    told = rehearse(tables(route(to("books"))), tables(route(rewritten)), [recorded("/old")], "gw-1")
    (difference,) = told.differences
    assert difference.kind == "changed"
    assert [(each.sent_before, each.sent_after) for each in difference.examples] == [("", "shop.example/new")]


def test_calls_that_are_rewritten_are_one_group_whatever_their_paths_and_no_example_comes_twice() -> None:
    def rewritten(service: str) -> Any:
        return route(to(service, {"prefix": "/shop"}, rewrite={"path": {"prefix": "/v2"}}))

    calls = [recorded(f"/shop/{number % 4}", at=1000.0 + number) for number in range(12)]
    told = rehearse(tables(rewritten("books")), tables(rewritten("films")), calls, "gw-1")
    (difference,) = told.differences
    assert (difference.kind, difference.calls) == ("elsewhere", 12)
    assert [each.path for each in difference.examples] == ["/shop/1", "/shop/2", "/shop/3"]
    assert {each.sent_after for each in difference.examples} == {f"shop.example/v2/{number}" for number in (1, 2, 3)}
    (difference,) = merged([told, told]).differences
    assert [each.path for each in difference.examples] == ["/shop/1", "/shop/2", "/shop/3"]


def test_who_makes_the_calls_that_fare_otherwise_is_told_once() -> None:
    calls = [recorded("/"), recorded("/"), recorded("/nobody", peer="10.0.0.7")]
    told = rehearse(tables(route(to("books", {"exact": "/"}))), tables(route(to("films", {"exact": "/"}))), calls, "a")
    assert told.callers == ["127.0.0.1"]
    assert merged([told, told]).callers == ["127.0.0.1"]


def test_whom_an_access_policy_would_keep_out_is_told() -> None:
    locked = document("AccessPolicy", "p", {"rules": [{"action": "deny", "to": [{"path": {"prefix": "/admin"}}]}]})
    for rule in (to("books"), to("books", rewrite={"host": "books.internal"})):  # asked at once, or when it is sent
        calls = [recorded("/admin;x", seen=7), recorded("/a")]
        told = rehearse(tables(route(rule)), tables(route(rule), locked), calls, "gw-1")
        assert told.same == 1
        (refused,) = told.differences
        assert (refused.kind, refused.calls, refused.before.route) == ("refused", 7, "default/r")
        assert (refused.after.status, refused.after.document) == (403, "AccessPolicy default/p")
        assert (refused.examples[0].caller, refused.examples[0].path) == ("127.0.0.1", "/admin;x")


def test_a_split_is_refused_where_none_of_its_destinations_may_be_called() -> None:
    split = route({"destinations": [{"service": "books"}, {"service": "films"}]})
    no_films = document("AccessPolicy", "f", {"targets": [{"service": "films"}], "default": "deny"})
    told = rehearse(tables(split), tables(split, no_films), [recorded("/")], "gw-1")
    assert told.differences == []
    told = rehearse(
        tables(split), tables(split, document("AccessPolicy", "p", {"default": "deny"})), [recorded("/")], ""
    )
    assert [each.after.status for each in told.differences] == [403]


def test_limits_count_in_the_time_of_the_recording() -> None:
    limit = document("RateLimit", "one", {"targets": [{"route": "r"}], "token_bucket": {"rate": "1/s", "burst": 1}})
    calls = [recorded("/", at=at) for at in (1000.0, 1000.1, 1002.0, 1002.1)]
    told = rehearse(tables(route(to("books"))), tables(route(to("books")), limit), calls, "gw-1")
    assert [(each.kind, each.recorded, each.after.document) for each in told.differences] == [
        ("refused", 2, "RateLimit default/one")
    ]


def test_a_service_without_instances_is_told() -> None:
    empty = document("Service", "new", {})
    told = rehearse(tables(route(to("books"))), tables(empty, route(to("new"))), [recorded("/")], "gw-1")
    assert kinds(told) == [("refused", 1, "default/books", "no_endpoint")]


def test_what_gateways_tell_becomes_one() -> None:
    today, proposed = tables(route(to("books"))), tables(route(to("films")))
    one = rehearse(today, proposed, [recorded("/1", at=5.0, seen=10)], "gw-1")
    two = rehearse(today, proposed, [recorded("/2", at=9.0, seen=20), recorded("/3", at=9.5)], "gw-2")
    told = merged([one, two, rehearse(today, proposed, [], "gw-3")])
    assert (told.gateways, told.recorded, told.calls, told.from_s, told.to_s) == (
        ["gw-1", "gw-2", "gw-3"],
        3,
        31,
        5.0,
        9.5,
    )
    (difference,) = told.differences
    assert (difference.recorded, difference.calls, len(difference.examples)) == (3, 31, 3)


def test_a_call_is_judged_by_the_routes_of_the_listener_that_it_came_by() -> None:
    spec = {"protocol": "http", "port": 9000, "routes": "named"}
    own = document("Listener", "inside", spec, "mesh")
    today = tables(own, document("Route", "r", edge_route(to("books")) | {"listeners": ["inside"]}))
    proposed = tables(own, document("Route", "r", edge_route(to("films")) | {"listeners": ["inside"]}))
    told = rehearse(today, proposed, [msgspec.structs.replace(recorded("/"), by="inside"), recorded("/")], "gw-1")
    assert kinds(told) == [("elsewhere", 1, "default/books", "default/films")]
    assert told.same == 1, "at the edge it is nowhere in either"

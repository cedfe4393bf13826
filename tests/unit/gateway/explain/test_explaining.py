"""An explanation names every policy that has a say, wherever the gateway asks it."""

from typing import Any

import pytest

from gateway.compiler.tables import Compiler
from gateway.explain.explaining import explain_question
from gateway.plan import Parts
from meshway.explanation import CallQuestion, Explanation
from tests.parts.changes import document, edge_route, running, to
from tests.parts.clock import ManualClock

SPLIT = {"destinations": [{"service": "books", "weight": 1}, {"service": "films", "weight": 1}]}


def told(*changes: Any, chance: float = 0.0, target: str = "/") -> Explanation:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: chance))
    assert compiler.snapshot(1, [running("books", "1"), running("films", "1"), *changes]) == []
    question = CallQuestion(url=f"http://shop.example{target}", listener="edge")
    return explain_question(compiler.state, question, 0.0, "gw-1")


def said(explanation: Explanation) -> list[tuple[str, str]]:
    return [(each.verdict, each.document) for each in explanation.filters if each.name == "access"]


def of_service(service: str, **spec: Any) -> Any:
    return document("AccessPolicy", f"of-{service}", {"targets": [{"service": service}]} | spec)


def test_a_split_tells_the_policy_of_the_service_that_is_drawn() -> None:
    route = document("Route", "r", edge_route(SPLIT))
    policies = [of_service("books", default="allow"), of_service("films", default="deny")]
    books = told(route, *policies, chance=0.1)
    assert said(books) == [("pass", "AccessPolicy default/of-books")]
    assert books.picked is not None
    films = told(route, *policies, chance=0.9)
    assert said(films) == [("refuse", "AccessPolicy default/of-films")]
    assert films.picked is None
    assert films.answered is not None
    assert (films.answered.status, films.answered.document) == (403, "AccessPolicy default/of-films")


def test_a_rule_that_rewrites_tells_the_services_policy_of_the_path_it_sends() -> None:
    route = document("Route", "r", edge_route(to("books", rewrite={"path": {"full": "/admin"}})))
    denied = of_service("books", rules=[{"action": "deny", "to": [{"path": {"prefix": "/admin"}}]}])
    explanation = told(route, denied)
    assert said(explanation) == [("refuse", "AccessPolicy default/of-books")]
    assert "rule 0 denies" in next(each.detail for each in explanation.filters if each.name == "access")


def test_what_only_audits_behind_a_split_is_told_and_the_call_goes_on() -> None:
    explanation = told(document("Route", "r", edge_route(SPLIT)), of_service("books", default="deny", mode="audit"))
    assert said(explanation) == [("pass", "AccessPolicy default/of-books")]
    assert explanation.picked is not None


def test_where_nobody_is_there_to_call_the_policy_of_the_service_is_told_as_well() -> None:
    route = document("Route", "r", edge_route({"destinations": [{"service": "gone"}, {"service": "lost"}]}))
    explanation = told(route, of_service("gone", default="deny"))
    assert said(explanation) == [("refuse", "AccessPolicy default/of-gone")]
    assert explanation.answered is not None
    assert explanation.answered.reason == "no_endpoint"


def own(**spec: Any) -> Any:
    return document("Listener", "partner", {"protocol": "http", "port": 9000} | spec, "mesh")


def asked(*changes: Any, **question: Any) -> Explanation:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.0))
    assert compiler.snapshot(1, [running("books", "1"), running("films", "1"), *changes]) == []
    return explain_question(compiler.state, CallQuestion(**question), 0.0, "gw-1")


@pytest.mark.parametrize(("routes", "others"), [("named", 404), ("face", 0)])
def test_a_listener_of_ones_own_answers_by_its_own_routes(routes: str, others: int) -> None:
    documents = (
        own(routes=routes),
        document("Route", "all", edge_route(to("films"))),
        document("Route", "own", edge_route(to("books", {"prefix": "/own"}), listeners=["partner"])),
    )
    mine = asked(*documents, url="http://shop.example/own", listener="partner")
    assert (mine.listener, mine.route) == ("partner", "default/own")
    assert mine.picked is not None
    rest = asked(*documents, url="http://shop.example/", listener="partner")
    assert (rest.answered.status if rest.answered is not None else 0) == others
    assert asked(*documents, url="http://shop.example/own").route == "default/all", "at the edge it is unknown"
    assert any(each.route == "default/own" for each in rest.tried), "told of by the listener's own rules"


def test_what_a_listener_itself_says_is_told_by_its_name() -> None:
    route = document("Route", "all", edge_route(to("books")))
    narrow = asked(own(hosts=["api.example"]), route, url="http://shop.example/", listener="partner")
    assert narrow.answered is not None
    assert (narrow.answered.status, narrow.answered.document) == (404, "listener partner")
    sent = asked(own(redirect_https={"port": 8443}), route, url="http://shop.example/a", listener="partner")
    assert sent.answered is not None
    assert (sent.answered.status, sent.answered.reason) == (308, "redirect_https")
    edge = document("Listener", "edge", {"redirect_https": {}}, "mesh")
    by_tls = asked(edge, route, url="https://shop.example/")
    assert (by_tls.listener, by_tls.answered) == ("edge-tls", None)


def test_a_heads_fields_are_those_that_the_listener_takes() -> None:
    question = {"url": "http://shop.example/", "listener": "partner", "headers": {"x_a": "1"}}
    refused = asked(own(underscores="reject"), **question)
    assert refused.answered is not None
    assert refused.answered.status == 400


def test_a_name_of_no_listener_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"listener: there is no partners \(did you mean partner\?\)"):
        asked(own(), url="http://shop.example/", listener="partners")


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_listener_of_bytes_has_no_calls_to_explain(protocol: str) -> None:
    with pytest.raises(ValueError, match="listener: partner has no calls"):
        asked(own(protocol=protocol), url="http://shop.example/", listener="partner")


def test_a_service_that_speaks_something_else_than_http_is_told_with_the_way_to_it() -> None:
    route = document("Route", "r", edge_route(to("books")))
    ports = [{"name": "pg", "port": 5432, "protocol": "tcp"}]
    explanation = told(route, document("Service", "books", {"ports": ports}))
    answered = explanation.answered
    assert answered is not None
    assert (answered.status, answered.reason, answered.document) == (502, "not_http", "Service default/books")
    assert answered.detail == (
        "default/books speaks tcp, and this is a call of HTTP: it is reached by CONNECT on the mesh, or a TcpRoute"
    )
    assert explanation.picked is None
    mixed = [{"name": "web", "port": 80}, *ports]
    assert told(route, document("Service", "books", {"ports": mixed})).picked is not None
    datagrams = document("Service", "books", {"ports": [{"protocol": "udp"}]})
    answered = told(route, datagrams).answered
    assert answered is not None
    assert answered.detail.endswith("it is reached by a UdpRoute")

import msgspec

from meshway.call_lines import CallLine
from meshway.spans import Span
from registry.insight.sight import Sight

ALL = Sight()
SHOP = Sight(frozenset({"shop"}))


def test_who_may_see_all_sees_all() -> None:
    assert ALL.edge(("bank/ledger", "bank/vault")) == ("bank/ledger", "bank/vault")
    assert ALL.route(("bank/r", "all", "bank/vault", "2xx", "")) == ("bank/r", "all", "bank/vault", "2xx", "")


def test_an_edge_is_seen_from_both_ends_and_the_other_end_is_not_named() -> None:
    assert SHOP.edge(("shop/web", "shop/cart")) == ("shop/web", "shop/cart")
    assert SHOP.edge(("edge", "shop/cart")) == ("edge", "shop/cart")
    assert SHOP.edge(("bank/ledger", "shop/cart")) == ("hidden", "shop/cart")
    assert SHOP.edge(("shop/cart", "bank/vault")) == ("shop/cart", "hidden")
    assert SHOP.edge(("bank/ledger", "bank/vault")) is None
    assert SHOP.edge(("edge", "bank/vault")) is None


def test_a_route_of_ones_own_may_lead_to_what_is_not_named() -> None:
    assert SHOP.route(("shop/r", "all", "bank/vault", "2xx", "")) == ("shop/r", "all", "hidden", "2xx", "")
    assert SHOP.route(("bank/r", "all", "shop/cart", "2xx", "")) is None


def test_instances_are_seen_with_their_service() -> None:
    assert SHOP.instance(("shop/cart", "a", "v1")) == ("shop/cart", "a", "v1")
    assert SHOP.instance(("bank/vault", "a", "v1")) is None


def test_a_namespace_that_is_called_as_callers_are_sees_none_of_them() -> None:
    for name in ("edge", "anonymous", "other", "hidden"):
        sight = Sight(frozenset({name}))
        assert sight.edge((name, "bank/vault")) is None
        assert sight.edge(("bank/ledger", f"{name}/own")) == ("hidden", f"{name}/own")


CALL = CallLine(
    time="t",
    duration_ms=1.0,
    path="/a",
    route="shop/r",
    rule="all",
    service="bank/vault",
    instance="i",
    attempts_detail=({"instance": "i", "began_ms": 0.0},),
    principal="spiffe://mesh.example/ns/bank/svc/ledger",
)


def test_a_call_is_seen_by_both_sides_and_the_others_names_are_not_told() -> None:
    assert ALL.call(CALL) is CALL
    seen = SHOP.call(CALL)
    assert seen is not None
    assert (seen.path, seen.route, seen.rule) == ("/a", "shop/r", "all")
    assert (seen.service, seen.instance, seen.attempts_detail, seen.principal) == ("hidden", "", (), "hidden")
    seen = Sight(frozenset({"bank"})).call(CALL)
    assert seen is not None
    assert (seen.route, seen.rule, seen.service, seen.principal) == ("hidden", "", "bank/vault", CALL.principal)
    assert Sight(frozenset({"news"})).call(CALL) is None
    assert SHOP.call(CallLine(time="t", duration_ms=1.0)) is None


def test_callers_by_token_are_told() -> None:
    for name, told in (
        ("https://issuer.example/a#ada", "https://issuer.example/a#ada"),
        ("anonymous", "anonymous"),
        ("shop/acme", "shop/acme"),
        ("bank/acme", "hidden"),
        ("spiffe://mesh.example/meshway/gateway/gw-1", "spiffe://mesh.example/meshway/gateway/gw-1"),
    ):
        seen = SHOP.call(msgspec.structs.replace(CALL, principal=name))
        assert seen is not None
        assert seen.principal == told


def test_spans_are_seen_as_calls_are() -> None:
    about = {
        "http.request.method": "GET",
        "meshway.route": "bank/r",
        "meshway.rule": "all",
        "meshway.source": "bank/ledger",
        "meshway.service": "shop/cart",
    }
    span = Span(
        trace_id="a" * 32, span_id="b" * 16, name="GET bank/r", kind="server", began_s=1.0, ended_s=2.0,
        attributes=dict(about),
    )  # fmt: skip
    assert ALL.span(span) is span
    seen = SHOP.span(span)
    assert seen is not None
    assert "bank" not in repr(seen)
    assert seen.attributes["meshway.service"] == "shop/cart"
    assert Sight(frozenset({"news"})).span(span) is None
    seen = Sight(frozenset({"bank"})).span(span)
    assert seen is not None
    assert (seen.name, seen.attributes["meshway.service"]) == ("GET bank/r", "hidden")

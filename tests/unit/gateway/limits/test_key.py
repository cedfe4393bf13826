from collections.abc import Callable
from typing import Any

import pytest

from gateway.exchange import Exchange
from gateway.limits.key import compile_key
from gateway.routing.captures import compile_captures
from meshway.identity import Principal
from meshway.model.match import PathMatch
from tests.parts.calls import call


def key(*parts: str, shares_missing: bool = False) -> Callable[[Exchange], str | None]:
    return compile_key(parts, service="default/books", route="default/r", rule="all", shares_missing=shares_missing)


def test_no_part_is_one_bucket() -> None:
    assert key()(call("/a")) == key("constant")(call("/b")) == ""


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("service", "default/books"),
        ("route", "default/r"),
        ("rule", "all"),
        ("method", "GET"),
        ("source_ip", "127.0.0.1"),
        ("header.X-Team", "a, b"),
        ("query.q", "x y"),
        ("query.second", ""),
    ],
)
def test_each_part_is_read_from_the_call(part: str, value: str) -> None:
    exchange = call("/?%71=x+y&second&q=other", headers={"X-Team": "a", "x-team": "b"})
    assert key(part)(exchange) == value


def test_a_header_is_that_of_each_call_also_where_a_connection_repeats_its_fields() -> None:
    read, calls = key("header.x-team"), [call(headers={"X-Team": team}) for team in "ab"]
    assert [read(exchange) for exchange in (*calls, calls[1], calls[0], call(), calls[0])] == [*"abba", None, "a"]
    calls[0].block = b"x-team: c\r\n"
    assert read(calls[0]) == "c", "a filter before has changed it"
    calls[0].block = b""
    assert read(calls[0]) is None


def test_a_name_in_the_rules_paths_is_a_part_and_missing_where_no_path_has_it() -> None:
    captured = compile_captures([PathMatch(template="/tenants/{tenant}/books")])
    fields: dict[str, Any] = {"service": "", "route": "", "rule": "", "shares_missing": False, "captured": captured}
    assert compile_key(["path.tenant"], **fields)(call_at(b"/tenants/a%20b/books")) == "a%20b"
    assert compile_key(["path.tenant"], **fields)(call_at(b"/other")) is None
    assert compile_key(["path.id"], **fields)(call_at(b"/tenants/a/books")) is None


def call_at(path: bytes) -> Exchange:
    exchange = call()
    exchange.path = path
    return exchange


def test_joined_parts_cannot_be_shifted_into_each_other() -> None:
    both = key("header.a", "header.b")
    assert both(call(headers={"a": "x", "b": "yz"})) != both(call(headers={"a": "xy", "b": "z"}))
    assert both(call(headers={"a": "1:", "b": ""})) != both(call(headers={"a": "", "b": "1:"}))


def test_a_missing_part_is_none_or_shared() -> None:
    assert key("header.a")(call()) is None
    assert key("header.a", "method")(call()) is None
    assert key("header.a", shares_missing=True)(call()) == ""
    assert key("header.a", "method", shares_missing=True)(call()) == "0:3:GET"


def proved(name: str = "https://id.example#ada", method: str = "jwt", **fields: Any) -> Exchange:
    exchange = call()
    exchange.principal = Principal(name, method=method, **fields)
    return exchange


@pytest.mark.parametrize("part", ["principal", "consumer", "claim.tenant"])
def test_who_proved_nothing_lacks_what_is_proved(part: str) -> None:
    assert key(part)(call()) is None
    said = proved("anonymous", method="", consumer="shop/acme", claims={"tenant": "a"})
    assert key(part)(said) is None
    assert key(part, shares_missing=True)(said) == ""
    assert key(part)(proved(consumer="shop/acme", claims={"tenant": "a"})) is not None


def test_callers_are_told_apart_by_what_they_proved() -> None:
    assert key("principal")(proved()) == "https://id.example#ada"
    assert key("consumer")(proved(consumer="shop/acme")) == "shop/acme"
    assert key("consumer")(proved()) is None, "a caller who is no consumer"


@pytest.mark.parametrize(
    ("claims", "value"),
    [
        ({"tenant": "a"}, "a"),
        ({"tenant": 7}, "7"),
        ({"tenant": True}, "true"),
        ({"tenant": ["a", "bc"]}, "1:a2:bc"),
        ({"tenant": ["ab", "c"]}, "2:ab1:c"),
        ({"tenant": {"id": 1}}, None),
        ({"tenant": []}, None),
        ({}, None),
    ],
    ids=str,
)
def test_a_claim_is_read_as_rules_read_it(claims: dict[str, Any], value: str | None) -> None:
    assert key("claim.tenant")(proved(claims=claims)) == value


def test_a_claim_may_lie_in_others() -> None:
    assert key("claim.realm.tenant")(proved(claims={"realm": {"tenant": "a"}})) == "a"
    assert key("claim.https://id/t")(proved(claims={"https://id/t": "b"})) == "b"


def test_addresses_of_one_ipv6_network_are_one_caller() -> None:
    source = key("source_ip")
    assert source(call(peer="2001:db8:1:2::1")) == source(call(peer="2001:db8:1:2:ffff::9"))
    assert source(call(peer="2001:db8:1:2::1")) != source(call(peer="2001:db8:1:3::1"))
    assert source(call(peer="::ffff:10.0.0.1")) == "10.0.0.1"
    assert source(call(peer="fe80::1%eth0")) == source(call(peer="fe80::2%eth1"))

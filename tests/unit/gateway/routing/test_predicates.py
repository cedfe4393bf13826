import pytest

from gateway.request_fields import RequestFields
from gateway.routing.predicates import compile_predicates, predicates_of
from meshway.model.match import Match, PathMatch, Source, StringMatch
from tests.parts.calls import call


def holds(match: Match, target: str = "/", **fields: str) -> bool:
    """fields: headers, with underscores for dashes."""
    test = compile_predicates(match, RequestFields())
    assert test is not None
    return test(call(target, headers={name.replace("_", "-"): text for name, text in fields.items()}))


def test_a_match_of_a_path_alone_asks_for_nothing() -> None:
    for match in (Match(), Match(path=PathMatch(regex="/a"))):
        assert compile_predicates(match, RequestFields()) is None
        assert predicates_of(match, RequestFields()) == []


def test_one_of_the_methods() -> None:
    test = compile_predicates(Match(methods=("PUT", "DELETE")), RequestFields())
    assert test is not None
    assert [test(call(method=method)) for method in ("PUT", "DELETE", "GET", "put")] == [True, True, False, False]


def test_header_names_fold_and_values_do_not() -> None:
    match = Match(headers={"X-Team": "web"})
    assert holds(match, x_TEAM="web")
    assert not holds(match, X_Team="Web")
    assert not holds(match)


def test_a_repeated_header_is_matched_on_its_joined_values() -> None:
    test = compile_predicates(Match(headers={"accept": StringMatch(contains="json, text")}), RequestFields())
    assert test is not None
    exchange = call()
    exchange.block = b"Accept: a/json\r\naccept: text/*\r\n"
    assert test(exchange)


def test_all_of_several_must_hold() -> None:
    match = Match(headers={"a": "1", "b": "2"}, query={"q": "3"}, cookies={"c": "4"}, methods=("GET",), scheme="http")
    good = {"a": "1", "b": "2", "Cookie": "c=4"}
    assert holds(match, "/?q=3", **good)
    for spoilt in (good | {"a": "0"}, good | {"b": "0"}, good | {"Cookie": "c=0"}):
        assert not holds(match, "/?q=3", **spoilt)
    assert not holds(match, "/?q=0&q=3", **good)


def test_scheme() -> None:
    test = compile_predicates(Match(scheme="https"), RequestFields())
    assert test is not None
    exchange = call()
    assert not test(exchange)
    exchange.scheme = b"https"
    assert test(exchange)


@pytest.mark.parametrize(
    ("peer", "is_inside"),
    [
        ("10.1.2.3", True),
        ("11.0.0.1", False),
        ("fd00::1", True),
        ("fd00::1%eth0", True),
        ("fe80::1", False),
        ("::ffff:10.1.2.3", True),
        ("", False),
        ("no address", False),
    ],
)
def test_the_callers_address_is_in_one_of_the_networks(peer: str, is_inside: bool) -> None:
    test = compile_predicates(Match(source=Source(cidr=("10.0.0.0/8", "fd00::/8"))), RequestFields())
    assert test is not None
    for _ in range(2):  # remembered the second time
        assert test(call(peer=peer)) is is_inside


def test_more_callers_than_are_remembered_are_still_told_apart() -> None:
    test = compile_predicates(Match(source=Source(cidr=("10.0.0.0/16",))), RequestFields())
    assert test is not None
    peers = [f"10.{high}.{low}.1" for high in (0, 1) for low in range(256)] * 3
    assert [test(call(peer=peer)) for peer in peers[::7]] == [peer.startswith("10.0.") for peer in peers[::7]]


def test_the_parts_are_those_of_the_test_and_say_what_a_call_has() -> None:
    match = Match(methods=("PUT",), headers={"X-Team": "web", "x-b": StringMatch(present=True)}, query={"v": "2"})
    fields = RequestFields()
    exchange = call("/?v=3", headers={"X-Team": "web"})
    told = [(one.at, one.asks, one.test(exchange), one.found(exchange)) for one in predicates_of(match, fields)]
    assert told == [
        ("methods", "method PUT", False, "it is GET"),
        ("headers.x-team", 'header x-team is "web"', True, 'it is "web"'),
        ("headers.x-b", "header x-b is there", False, "it is absent"),
        ("query.v", 'query parameter v is "2"', False, 'it is "3"'),
    ]

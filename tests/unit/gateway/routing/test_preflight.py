from gateway.request_fields import RequestFields
from gateway.routing.preflight import compile_preflight, header_names
from meshway.model.match import Match, PathMatch, StringMatch
from tests.parts.calls import call

ORIGIN = {"Origin": "https://a.example"}


def takes(match: Match, method: str = "OPTIONS", **fields: str) -> bool:
    """fields: of the preflight, with underscores for dashes."""
    test = compile_preflight(match, RequestFields())
    assert test is not None
    return test(call("/a?v=2", method=method, headers={name.replace("_", "-"): text for name, text in fields.items()}))


def test_what_asks_for_nothing_that_a_preflight_lacks_needs_no_test_of_its_own() -> None:
    for match in (Match(), Match(path=PathMatch(prefix="/a")), Match(query={"v": "2"}), Match(methods=("OPTIONS",))):
        assert compile_preflight(match, RequestFields()) is None


def test_the_method_of_the_call_to_come_decides() -> None:
    match = Match(methods=("PUT", "DELETE"))
    assert takes(match, Access_Control_Request_Method="PUT", **ORIGIN)
    assert not takes(match, Access_Control_Request_Method="POST", **ORIGIN)
    assert not takes(match, Access_Control_Request_Method="put", **ORIGIN)


def test_what_is_no_preflight_is_not_taken() -> None:
    match = Match(methods=("PUT",))
    assert not takes(match, "PUT", Access_Control_Request_Method="PUT", **ORIGIN)
    assert not takes(match, Access_Control_Request_Method="PUT")
    assert not takes(match, **ORIGIN)


def test_a_header_that_will_come_is_taken_for_right_and_one_that_is_there_is_looked_at() -> None:
    match = Match(headers={"X-Beta": "1", "host": "shop.example"})
    asked = {"Access_Control_Request_Method": "GET", **ORIGIN}
    assert takes(match, Access_Control_Request_Headers="x-a, X-BETA", **asked)
    assert not takes(match, Access_Control_Request_Headers="x-a", **asked)
    assert not takes(match, **asked)
    elsewhere = Match(headers={"X-Beta": "1", "host": "other.example"})
    assert not takes(elsewhere, Access_Control_Request_Headers="x-beta", **asked)


def test_a_header_that_must_be_absent_is_absent_from_a_preflight_unless_it_is_announced() -> None:
    match = Match(headers={"x-old": StringMatch(present=False)})
    assert takes(match, Access_Control_Request_Method="GET", **ORIGIN)


def test_everything_else_is_asked_of_a_preflight_as_of_any_call() -> None:
    asked = {"Access_Control_Request_Method": "PUT", **ORIGIN}
    assert takes(Match(methods=("PUT",), query={"v": "2"}, scheme="http"), **asked)
    assert not takes(Match(methods=("PUT",), query={"v": "3"}), **asked)
    assert not takes(Match(methods=("PUT",), scheme="https"), **asked)
    assert not takes(Match(methods=("PUT",), cookies={"beta": "1"}), **asked)


def test_cookies_may_come_where_the_rule_gives_leave() -> None:
    match = Match(cookies={"beta": "1"}, query={"v": "2"})
    assert compile_preflight(match, RequestFields()) is None, "no call of a page has cookies there"
    preflight = call("/a?v=2", method="OPTIONS", headers={"Access-Control-Request-Method": "PUT", **ORIGIN})
    for has_leave in (True, False):
        test = compile_preflight(match, RequestFields(), lambda _, leave=has_leave: leave)  # type: ignore[misc]
        assert test is not None
        assert test(preflight) is has_leave
    elsewhere = compile_preflight(Match(cookies={"beta": "1"}, query={"v": "3"}), RequestFields(), lambda _: True)
    assert elsewhere is not None
    assert not elsewhere(preflight)


def test_names_of_a_list_are_folded_and_gaps_are_none() -> None:
    assert header_names(b" X-A ,,x-b\t,") == {b"x-a", b"x-b"}
    assert header_names(b"") == frozenset()

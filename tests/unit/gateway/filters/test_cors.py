from gateway.exchange import Exchange, Reply
from gateway.filters.cors import compile_filter, compile_response_filter
from meshway.http1.message import ResponseHead
from meshway.model.match import StringMatch
from meshway.model.rule_actions import Cors
from meshway.units import Duration
from tests.parts.calls import call

SHOP = Cors(
    allow_origins=("https://a.example", StringMatch(suffix=".b.example")),
    allow_methods=("PUT", "DELETE"),
    allow_headers=("X-Team", "Content-Type"),
    expose_headers=("X-Total",),
    max_age=Duration(600.0),
    allow_credentials=True,
)
OPEN = Cors(allow_origins=("*",), allow_methods=("*",), allow_headers=("*",))


def answered(cors: Cors, origin: str | None, method: str = "GET", **fields: str) -> tuple[object, Exchange]:
    headers = {name.replace("_", "-"): text for name, text in fields.items()}
    exchange = call("/a", method=method, headers=headers | ({"Origin": origin} if origin else {}))
    return compile_filter(cors, "rule api of Route default/shop")(exchange), exchange


def preflight(cors: Cors, origin: str, method: str, headers: str = "") -> Reply:
    fields = {"Access_Control_Request_Method": method}
    if headers:
        fields["Access_Control_Request_Headers"] = headers
    reply, exchange = answered(cors, origin, "OPTIONS", **fields)
    assert isinstance(reply, Reply)
    assert exchange.added == b""
    return reply


def test_an_allowed_page_may_read_the_answer() -> None:
    for origin in ("https://a.example", "https://shop.b.example"):
        reply, exchange = answered(SHOP, origin)
        assert reply is None
        assert exchange.added.split(b"\r\n") == [
            b"Vary: Origin",
            b"Access-Control-Allow-Origin: " + origin.encode(),
            b"Access-Control-Allow-Credentials: true",
            b"Access-Control-Expose-Headers: X-Total",
            b"",
        ]


def test_a_call_of_a_strange_page_and_one_without_a_page_pass_unmarked() -> None:
    for origin in ("https://evil.example", "https://A.example", "https://a.example.evil", "null", None):
        reply, exchange = answered(SHOP, origin)
        assert (reply, exchange.added) == (None, b"Vary: Origin\r\n")


def test_what_is_open_to_all_says_the_same_to_all() -> None:
    for origin in ("https://any.example", None):
        reply, exchange = answered(OPEN, origin)
        assert (reply, exchange.added) == (None, b"Access-Control-Allow-Origin: *\r\n")


def test_a_preflight_is_answered_with_what_is_allowed() -> None:
    reply = preflight(SHOP, "https://a.example", "PUT", "x-team,content-type")
    assert (reply.status, reply.reason, reply.body) == (204, "cors_preflight", b"")
    assert reply.fields.split(b"\r\n") == [
        b"Access-Control-Allow-Origin: https://a.example",
        b"Access-Control-Allow-Credentials: true",
        b"Access-Control-Allow-Methods: PUT, DELETE",
        b"Access-Control-Allow-Headers: X-Team, Content-Type",
        b"Access-Control-Max-Age: 600",
        b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        b"",
    ]


def test_a_method_that_browsers_send_unasked_needs_no_listing() -> None:
    bare = Cors(allow_origins=("https://a.example",), allow_headers=("content-type",))
    for method in ("GET", "HEAD", "POST"):
        assert preflight(bare, "https://a.example", method, "content-type").status == 204
    assert preflight(bare, "https://a.example", "PATCH").status == 403


def test_a_preflight_for_more_is_refused_and_told_what_is_missing() -> None:
    for origin, method, headers, missing in (
        ("https://evil.example", "PUT", "", "no origin https://evil.example"),
        ("https://a.example", "PATCH", "", "no method PATCH"),
        ("https://a.example", "PUT", "x-team, x-other", "no header x-other"),
    ):
        reply = preflight(SHOP, origin, method, headers)
        assert (reply.status, reply.reason, reply.flag) == (403, "cors_denied", "UAEX")
        assert reply.detail.startswith("rule api of Route default/shop allows pages of other origins " + missing)
        assert b"Allow-Origin" not in reply.fields


def test_a_star_holds_for_every_method_and_header_but_credentials() -> None:
    assert b"Access-Control-Allow-Origin: *\r\n" in preflight(OPEN, "https://any.example", "PATCH", "x-any").fields
    assert "no header authorization" in preflight(OPEN, "https://any.example", "GET", "authorization").detail
    named = Cors(allow_origins=("*",), allow_headers=("*", "Authorization"))
    assert preflight(named, "https://any.example", "GET", "authorization, x-any").status == 204


def test_an_options_that_asks_for_nothing_goes_to_the_service() -> None:
    assert answered(SHOP, "https://a.example", "OPTIONS")[0] is None
    assert answered(SHOP, None, "OPTIONS", Access_Control_Request_Method="PUT")[0] is None


def test_what_a_caller_wrote_is_shown_in_part_only() -> None:
    assert len(preflight(SHOP, "https://" + "x" * 4000, "PUT").detail) < 300


def test_the_services_own_say_is_taken_out() -> None:
    head = ResponseHead()
    head.block = b"Access-Control-Allow-Origin: *\r\nX-A: 1\r\naccess-control-max-age: 1\r\n"
    compile_response_filter()(head)
    assert head.block == b"X-A: 1\r\n"

from gateway.filters.deprecation import compile_filter, compile_response_filter
from meshway.model.rule_actions import Deprecation
from tests.parts.calls import call
from tests.parts.playbook import read_answer


def test_every_answer_says_since_when_until_when_and_where_to_read_on() -> None:
    said = Deprecation(since="2026-01-01", sunset="2026-12-31T23:59:59Z", link="https://shop.example/v2")
    exchange = call()
    assert compile_filter(said)(exchange) is None
    assert exchange.added == (
        b"Deprecation: @1767225600\r\nSunset: Thu, 31 Dec 2026 23:59:59 GMT\r\n"
        b'Link: <https://shop.example/v2>; rel="deprecation"\r\n'
    )


def test_only_an_end_is_a_sunset() -> None:
    exchange = call()
    compile_filter(Deprecation(sunset="2026-12-31", link="https://shop.example/v2"))(exchange)
    assert exchange.added == (
        b'Sunset: Thu, 31 Dec 2026 00:00:00 GMT\r\nLink: <https://shop.example/v2>; rel="sunset"\r\n'
    )


def test_what_the_service_says_of_it_is_taken_out() -> None:
    head = read_answer("HTTP/1.1 200 OK\r\nSunset: x\r\nX-A: 1\r\nDeprecation: @1\r\nContent-Length: 0\r\n\r\n")
    compile_response_filter()(head)
    assert head.block == b"X-A: 1\r\n"

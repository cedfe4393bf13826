"""Tests of calls put together: all of them, any of them, both."""

from collections.abc import Sequence

from gateway.exchange import Exchange
from gateway.routing.predicates import Test


def anybody(_: Exchange) -> bool:
    return True


def all_of(tests: Sequence[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda exchange: all(test(exchange) for test in tests)


def any_of(tests: Sequence[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda exchange: any(test(exchange) for test in tests)


def both(first: Test | None, second: Test | None) -> Test | None:
    if first is None or second is None:
        return first or second
    return lambda exchange: first(exchange) and second(exchange)

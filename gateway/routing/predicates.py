"""What a Match asks of a request beside its path, compiled to one test; None where it asks for nothing.

The parts that the test is made of can be had one by one, with words for what each asks and what a call has there: so
whoever explains a call asks what the match itself asked.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.exchange import Exchange
from gateway.request_fields import RequestFields
from gateway.routing.string_match import HoldsText, compile_string, text_in_words
from meshway.model.match import Match, Text

Test = Callable[[Exchange], bool]
_REMEMBERED: Final = 1024  # callers whose address was judged


class Predicate(NamedTuple):
    """One thing that a Match asks. at: its field in the Match. asks: in words. found: in words, what a call has."""

    at: str
    asks: str
    test: Test
    found: Callable[[Exchange], str]


class _Group(NamedTuple):
    """test: all of the group at once. predicates: the same, one by one; made when somebody wants to read them."""

    test: Test
    predicates: Callable[[], list[Predicate]]


def compile_predicates(match: Match, fields: RequestFields) -> Test | None:
    """All parts must hold; what costs least is asked first."""
    return _all_of([group.test for group in _groups(match, fields)])


def of_methods(methods: Sequence[str], then: Test) -> Test:
    """One of the methods, and what else is asked, in one step."""
    wanted = frozenset(method.encode() for method in methods)
    return lambda exchange: exchange.method in wanted and then(exchange)


def predicates_of(match: Match, fields: RequestFields) -> list[Predicate]:
    """What `compile_predicates` makes its test of, in the order of asking."""
    return [predicate for group in _groups(match, fields) for predicate in group.predicates()]


def _groups(match: Match, fields: RequestFields) -> Iterator[_Group]:
    if match.methods:
        yield _of_method(match.methods)
    if match.scheme is not None:
        yield _of_scheme(match.scheme)
    if match.source is not None:
        yield _of_address(match.source.cidr)
    if match.headers:
        headers = {name.lower(): text for name, text in match.headers.items()}
        yield _of_values("headers", "header", fields.headers, headers)
    if match.query:
        yield _of_values("query", "query parameter", fields.query, match.query)
    if match.cookies:
        yield _of_values("cookies", "cookie", fields.cookies, match.cookies)


def _all_of(tests: Sequence[Test]) -> Test | None:
    if not tests:
        return None
    first, *others = tests
    if not others:
        return first
    if len(others) == 1:
        (second,) = others
        return lambda exchange: first(exchange) and second(exchange)

    def hold(exchange: Exchange) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs more than the tests
            if not test(exchange):
                return False
        return True

    return hold


def _of_method(methods: Sequence[str]) -> _Group:
    wanted = frozenset(method.encode() for method in methods)

    def is_one(exchange: Exchange) -> bool:
        return exchange.method in wanted

    def predicates() -> list[Predicate]:
        asks = f"method {' or '.join(methods)}"
        return [Predicate("methods", asks, is_one, lambda exchange: f"it is {exchange.method.decode('latin-1')}")]

    return _Group(is_one, predicates)


def _of_scheme(scheme: str) -> _Group:
    wanted = scheme.encode()

    def is_it(exchange: Exchange) -> bool:
        return exchange.scheme == wanted

    def predicates() -> list[Predicate]:
        return [Predicate("scheme", f"scheme {scheme}", is_it, lambda exchange: f"it is {exchange.scheme.decode()}")]

    return _Group(is_it, predicates)


def _of_values(
    at: str, what: str, values_of: Callable[[Exchange], Mapping[bytes, bytes]], texts: Mapping[str, Text]
) -> _Group:
    """at: the field of the Match. what: one of them, in words."""
    asked: list[tuple[bytes, HoldsText]] = [(name.encode(), compile_string(text)) for name, text in texts.items()]

    def predicates() -> list[Predicate]:
        return [
            Predicate(
                f"{at}.{name}",
                f"{what} {name} {text_in_words(texts[name])}",
                _of_value(values_of, wanted, holds),
                _shown(values_of, wanted),
            )
            for name, (wanted, holds) in zip(texts, asked, strict=True)
        ]

    if len(asked) == 1:
        ((only, holds_it),) = asked
        return _Group(_of_value(values_of, only, holds_it), predicates)

    def hold(exchange: Exchange) -> bool:
        values = values_of(exchange)
        for name, holds in asked:  # noqa: SIM110 - a generator costs more than the tests
            if not holds(values.get(name)):
                return False
        return True

    return _Group(hold, predicates)


def _of_value(values_of: Callable[[Exchange], Mapping[bytes, bytes]], name: bytes, holds: HoldsText) -> Test:
    return lambda exchange: holds(values_of(exchange).get(name))


def _shown(values_of: Callable[[Exchange], Mapping[bytes, bytes]], name: bytes) -> Callable[[Exchange], str]:
    def found(exchange: Exchange) -> str:
        value = values_of(exchange).get(name)
        return "it is absent" if value is None else f'it is "{value.decode("utf-8", "replace")}"'

    return found


def _of_address(networks: Sequence[str]) -> _Group:
    """The caller's, behind trusted proxies the right-most untrusted one; what is no address is in no network."""
    read = [ipaddress.ip_network(network) for network in networks]
    judged: dict[str, bool] = {}

    def is_inside(exchange: Exchange) -> bool:
        peer = exchange.peer
        verdict = judged.get(peer)
        if verdict is None:
            if len(judged) >= _REMEMBERED:
                judged.clear()
            address = read_address(peer)
            verdict = judged[peer] = address is not None and any(address in network for network in read)
        return verdict

    def predicates() -> list[Predicate]:
        asks = f"address in {' or '.join(networks)}"
        return [Predicate("source.cidr", asks, is_inside, lambda exchange: f"it is {exchange.peer}")]

    return _Group(is_inside, predicates)


def read_address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

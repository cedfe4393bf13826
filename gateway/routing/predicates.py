"""What a Match asks of a request beside its path, compiled to one test; None where it asks for nothing."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gateway.exchange import Exchange
from gateway.request_fields import RequestFields
from gateway.routing.string_match import HoldsText, compile_string
from meshway.model.match import Match, Text

Test = Callable[[Exchange], bool]
_REMEMBERED: Final = 1024  # callers whose address was judged


def compile_predicates(match: Match, fields: RequestFields) -> Test | None:
    """All parts must hold; what costs least is asked first."""
    tests: list[Test] = []
    if match.methods:
        tests.append(_of_method(frozenset(method.encode() for method in match.methods)))
    if match.scheme is not None:
        tests.append(_of_scheme(match.scheme.encode()))
    if match.source is not None:
        tests.append(_of_address(match.source.cidr))
    if match.headers:
        tests.append(_of_values(fields.headers, {name.lower(): text for name, text in match.headers.items()}))
    if match.query:
        tests.append(_of_values(fields.query, match.query))
    if match.cookies:
        tests.append(_of_values(fields.cookies, match.cookies))
    return _all_of(tests)


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


def _of_method(methods: frozenset[bytes]) -> Test:
    return lambda exchange: exchange.method in methods


def _of_scheme(scheme: bytes) -> Test:
    return lambda exchange: exchange.scheme == scheme


def _of_values(values_of: Callable[[Exchange], Mapping[bytes, bytes]], texts: Mapping[str, Text]) -> Test:
    asked: list[tuple[bytes, HoldsText]] = [(name.encode(), compile_string(text)) for name, text in texts.items()]
    if len(asked) == 1:
        ((only, holds),) = asked
        return lambda exchange: holds(values_of(exchange).get(only))

    def hold(exchange: Exchange) -> bool:
        values = values_of(exchange)
        for name, holds in asked:  # noqa: SIM110 - as above
            if not holds(values.get(name)):
                return False
        return True

    return hold


def _of_address(networks: Sequence[str]) -> Test:
    """The caller's, behind trusted proxies the right-most untrusted one; what is no address is in no network."""
    read = [ipaddress.ip_network(network) for network in networks]
    judged: dict[str, bool] = {}

    def is_inside(exchange: Exchange) -> bool:
        peer = exchange.peer
        verdict = judged.get(peer)
        if verdict is None:
            if len(judged) >= _REMEMBERED:
                judged.clear()
            address = _address(peer)
            verdict = judged[peer] = address is not None and any(address in network for network in read)
        return verdict

    return is_inside


def _address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

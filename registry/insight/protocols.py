"""What is spoken to services beside plain HTTP, as documents and instances say: no call is looked at for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from meshway.model.connection_route import TcpRoute, TlsRoute
from meshway.model.listener import EDGE, Listener, face_of, spoken
from meshway.model.route import Route
from meshway.model.service import Service
from meshway.model.udp_route import UdpRoute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from meshway.model.document import Destination
    from registry.view.rows import DocumentRow

Protocol = Literal["http", "http2", "http3", "grpc", "websocket", "tcp", "tls", "udp"]
# What is open for as long as its caller likes, and no call until it has ended.
_LASTING: Final[frozenset[Protocol]] = frozenset({"grpc", "websocket", "tcp", "tls", "udp"})
_KNOWN: Final[tuple[Protocol, ...]] = get_args(Protocol)
_PLAIN: Final[tuple[Protocol, ...]] = ("http",)
_OF_ROUTES: Final[dict[type, Protocol]] = {TcpRoute: "tcp", TlsRoute: "tls", UdpRoute: "udp"}
# Whose documents say it.
KINDS: Final = ("Service", "Route", "TcpRoute", "TlsRoute", "UdpRoute", "Listener")


class Documented(NamedTuple):
    """What documents say of services, `namespace/name`. spoken: by their own and by routes of bytes. of_messages: rules
    with a websocket block lead there. by_http3: so do Routes of Listeners at which callers outside may speak it."""

    spoken: Mapping[str, Set[str]]
    of_messages: Set[str]
    by_http3: Set[str]


NOTHING: Final = Documented({}, frozenset(), frozenset())


def documented(documents: Iterable[DocumentRow]) -> Documented:
    """documents: of KINDS."""
    found: dict[str, set[str]] = {}
    of_messages: set[str] = set()
    routes: list[tuple[str, Route]] = []
    listeners: list[tuple[str, Listener]] = []
    for row in documents:
        _, namespace, name = row.key
        spec = row.spec
        if isinstance(spec, Service):
            found.setdefault(f"{namespace}/{name}", set()).update(port.protocol for port in spec.ports)
        elif isinstance(spec, TcpRoute | TlsRoute | UdpRoute):
            for service in _services(spec.destinations, namespace):
                found.setdefault(service, set()).add(_OF_ROUTES[type(spec)])
        elif isinstance(spec, Route):
            routes.append((namespace, spec))
            for rule in spec.rules:
                if rule.websocket is not None and rule.websocket.allow:
                    of_messages |= _services(rule.destinations, namespace)
        elif isinstance(spec, Listener):
            listeners.append((name, spec))
    return Documented(found, of_messages, _by_http3(routes, listeners))


def _by_http3(routes: Iterable[tuple[str, Route]], listeners: Iterable[tuple[str, Listener]]) -> set[str]:
    """Where Routes lead that a Listener with HTTP/3 serves: those of its face, unless only some name it."""
    names = set()
    for name, spec in listeners:
        has_http3 = spoken(name, spec) == "http3" or (spec.http3 is not None and spec.http3.enabled)
        if has_http3 and spec.enabled and face_of(name, spec) == EDGE:
            names |= {name} if spec.routes == "named" else {name, EDGE}
    return {
        service
        for namespace, spec in routes
        if names.intersection(spec.listeners)
        for rule in spec.rules
        for service in _services(rule.destinations, namespace)
    }


def _services(destinations: Iterable[Destination], namespace: str) -> set[str]:
    return {f"{one.namespace or namespace}/{one.service}" for one in destinations}


def protocols_of(said: Documented, registered: Iterable[tuple[str, str]]) -> dict[str, tuple[Protocol, ...]]:
    """By service, `namespace/name`; those that speak plain HTTP alone are left out. registered: services, and what an
    instance of theirs says that it speaks."""
    found = {service: set(spoken) for service, spoken in said.spoken.items() if spoken}
    for service, protocol in registered:
        if service not in found and protocol in _KNOWN:
            found[service] = {protocol}
    for service in said.of_messages:
        found.setdefault(service, set(_PLAIN)).add("websocket")
    told = {service: tuple(each for each in _KNOWN if each in spoken) for service, spoken in found.items()}
    return {service: spoken for service, spoken in told.items() if spoken and spoken != _PLAIN}


def open_now(spoken: Mapping[str, tuple[Protocol, ...]], in_flight: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """By service, of those in `spoken` to which more goes than calls that are soon over. in_flight: of each gateway."""
    found: dict[str, int] = {}
    for counts in in_flight:
        for service, count in counts.items():
            if not _LASTING.isdisjoint(spoken.get(service, ())):
                found[service] = found.get(service, 0) + count
    return found


def with_http3(spoken: Iterable[Protocol]) -> tuple[Protocol, ...]:
    """spoken: to a service, none: plain HTTP."""
    others = set(spoken) or set(_PLAIN)
    return tuple(each for each in _KNOWN if each == "http3" or each in others)

"""What is spoken to services beside plain HTTP, as documents and instances say: no call is looked at for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from meshway.model.connection_route import TcpRoute, TlsRoute
from meshway.model.service import Service
from meshway.model.udp_route import UdpRoute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.view.rows import DocumentRow

Protocol = Literal["http", "http2", "grpc", "tcp", "tls", "udp"]
_KNOWN: Final[tuple[Protocol, ...]] = get_args(Protocol)
_PLAIN: Final[tuple[Protocol, ...]] = ("http",)
_OF_ROUTES: Final[dict[type, Protocol]] = {TcpRoute: "tcp", TlsRoute: "tls", UdpRoute: "udp"}
# Whose documents say it.
KINDS: Final = ("Service", "TcpRoute", "TlsRoute", "UdpRoute")


def protocols_of(
    documents: Iterable[DocumentRow], registered: Iterable[tuple[str, str]]
) -> dict[str, tuple[Protocol, ...]]:
    """By service, `namespace/name`; those that speak plain HTTP alone are left out. documents: of KINDS. registered:
    services, and what an instance of theirs says that it speaks."""
    found: dict[str, set[str]] = {}
    for row in documents:
        _, namespace, name = row.key
        spec = row.spec
        if isinstance(spec, Service):
            found.setdefault(f"{namespace}/{name}", set()).update(port.protocol for port in spec.ports)
        elif isinstance(spec, TcpRoute | TlsRoute | UdpRoute):
            for one in spec.destinations:
                found.setdefault(f"{one.namespace or namespace}/{one.service}", set()).add(_OF_ROUTES[type(spec)])
    for service, protocol in registered:
        if service not in found and protocol in _KNOWN:
            found[service] = {protocol}
    told = {service: tuple(each for each in _KNOWN if each in spoken) for service, spoken in found.items()}
    return {service: spoken for service, spoken in told.items() if spoken and spoken != _PLAIN}

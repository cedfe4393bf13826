"""Rules of a Route of whose destinations some speak HTTP and some do not: no call can be for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.model.listener import NOT_HTTP
from meshway.model.route import Route
from meshway.model.service import ServicePort
from registry.documents.referred import service_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.document import Destination
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentRow

_USUAL: Final = ServicePort().protocol


def mixed(row: DocumentRow, draft: Draft) -> Iterator[tuple[str, str]]:
    """Path and reason. A rule that sends all its calls to what speaks something else is none: each of them is answered
    that it does."""
    if not isinstance(row.spec, Route):
        return
    for at, rule in enumerate(row.spec.rules):
        if len(rule.destinations) < 2:
            continue
        spoken = [_spoken(each, row.key[1], draft) for each in rule.destinations]
        by_http = next((to for to, protocol in zip(rule.destinations, spoken, strict=True) if _is_http(protocol)), None)
        for place, (to, protocol) in enumerate(zip(rule.destinations, spoken, strict=True)):
            if by_http is not None and not _is_http(protocol):
                yield (
                    f"spec.rules[{at}].destinations[{place}]",
                    f"{to.service} speaks {protocol}, and {by_http.service} beside it HTTP: calls that are drawn for "
                    f"{to.service} would reach nobody; take it out, and lead to it by a TcpRoute, TlsRoute or UdpRoute",
                )


def _spoken(to: Destination, namespace: str, draft: Draft) -> str:
    service = service_of(draft, to.namespace or namespace, to.service)
    if service is None:
        return _USUAL
    own = service.ports[0].name if to.port is None else to.port
    return next((port.protocol for port in service.ports if port.name == own), _USUAL)


def _is_http(protocol: str) -> bool:
    return protocol not in NOT_HTTP

"""What must hold inside a Service."""

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

from meshway.addresses import wrong_address
from meshway.model.names import bad_host
from meshway.model.rule_kit import BlockRule, Finding, bounded, unique
from meshway.model.service import target_port


def _service_ports(part: Any) -> Iterator[Finding]:
    yield from unique((port.name for port in part.ports), lambda at: f".ports[{at}].name", "port name")
    yield from unique((str(port.port) for port in part.ports), lambda at: f".ports[{at}].port", "port")


def _service_subsets(part: Any) -> Iterator[Finding]:
    yield from unique((subset.name for subset in part.subsets), lambda at: f".subsets[{at}].name", "subset")
    for at, subset in enumerate(part.subsets):
        match = subset.match
        if match.version is None and match.zone is None and not match.tags and not match.metadata:
            yield Finding(
                f".subsets[{at}].match", "missing_field", "needs at least one of version, zone, tags, metadata"
            )


def _service_endpoints(part: Any) -> Iterator[Finding]:
    if part.type == "static" and not part.endpoints:
        yield Finding(".endpoints", "missing_field", "a static service needs at least one endpoint")
    if part.type != "static" and part.endpoints:
        yield Finding(".endpoints", "forbidden_combination", "endpoints are for type: static; instances register here")
    for at, endpoint in enumerate(part.endpoints):
        if reason := wrong_address(endpoint.address):
            yield Finding(f".endpoints[{at}].address", "bad_address", f'"{endpoint.address}" {reason}')
    own = target_port(part.ports[0])
    addresses = (f"{endpoint.address}:{endpoint.port or own}" for endpoint in part.endpoints)
    yield from unique(addresses, lambda at: f".endpoints[{at}]", "endpoint")


def _external(part: Any) -> Iterator[Finding]:
    if part.type == "external" and part.external is None:
        yield Finding(".external", "missing_field", "an external service needs its host")
    if part.type != "external" and part.external is not None:
        yield Finding(".external", "forbidden_combination", "is for type: external")


def _external_host(part: Any) -> Iterator[Finding]:
    reason = bad_host(part.host, wildcard=False)
    if reason is None and wrong_address(part.host) is not None:
        reason = f'"{part.host}" is no host name'
    if reason is None and _is_address(part.host):
        reason = f'"{part.host}" is an address: type: static is for these'
    if reason is None and ("." not in part.host or part.host.endswith(".mesh")):
        reason = f'"{part.host}" would be a name of the mesh'
    if reason is not None:
        yield Finding(".host", "bad_name", reason)


def _external_tls(part: Any) -> Iterator[Finding]:
    if part.tls:
        reason = "is not built yet for hosts outside: write tls: false where one is to be called by plain HTTP"
        yield Finding(".tls", "unsupported", reason)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _service_aliases(part: Any) -> Iterator[Finding]:
    for at, alias in enumerate(part.aliases):
        if reason := bad_host(alias, wildcard=False):
            yield Finding(f".aliases[{at}]", "bad_name", reason)
    yield from unique(part.aliases, lambda at: f".aliases[{at}]", "alias")


SERVICE_RULES: Final = (
    BlockRule(("ports",), _service_ports),
    BlockRule(("subsets",), _service_subsets),
    BlockRule(("type", "endpoints", "ports"), _service_endpoints),
    BlockRule(("aliases",), _service_aliases),
    BlockRule(("type", "external"), _external),
)
OUTSIDE_RULES: Final = (
    BlockRule(("host",), _external_host),
    BlockRule(("tls",), _external_tls),
    bounded("refresh", 5.0, 3600.0, zero=False),
)

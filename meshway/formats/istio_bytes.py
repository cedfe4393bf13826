"""`tls` and `tcp` of a VirtualService to TlsRoutes and TcpRoutes: what is no call, by the servers of its Gateways.

A match is a route of its own, since it may be for other ports, hosts and sources. On the mesh none is needed: CONNECT
leads to the ports of Services.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from meshway.formats.foreign import At, Block
from meshway.formats.istio_destination import weighted_destination
from meshway.formats.istio_gateway import common_host, gateway_key, is_opened, is_passed_on, listener_name
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import ISTIO, Foreign, Server, Surroundings

_KINDS: Final = {"tls": "TlsRoute", "tcp": "TcpRoute"}
_TAKES: Final[Mapping[str, Callable[[Server], bool]]] = {"tls": is_passed_on, "tcp": is_opened}
_ASKED: Final = {"tls": "TLS or HTTPS in mode PASSTHROUGH", "tcp": "TCP, or TLS that is terminated"}
_BY_ADDRESS: Final = "a connection is known by its address alone: write sourceSubnet, or an AccessPolicy with from"


class _Place(NamedTuple):
    """A server of a Gateway that a route may be for, and the name of the Listener that it becomes."""

    listener: str
    server: Server


def convert_bytes(spec: Block, gateways: list[At], one: Foreign, around: Surroundings) -> Iterator[Native]:
    """gateways: of the whole document."""
    for field, kind in _KINDS.items():
        made: list[Tree] = []
        for route in spec.blocks(field):
            made += _routes(route, field, gateways, one, around)
        for at, told in enumerate(made):
            yield Native(kind, one.namespace, f"{one.name}-{at}" if at else one.name, told, [one.document])


def _routes(block: Block, field: str, gateways: list[At], one: Foreign, around: Surroundings) -> list[Tree]:
    targets = block.blocks("route")
    destinations = []
    for to in targets:
        told = weighted_destination(to, len(targets), one, around)
        to.close()
        if told is not None:
            destinations.append(At(told, to.origin))
    if not targets:
        block.findings.wrong(block.at("route"), "missing_field", "is required")
    matches = block.blocks("match")
    if not matches and field == "tls":
        block.findings.wrong(block.at("match"), "missing_field", "is required: its sniHosts say whose it is")
    made: list[Tree] = []
    for match in matches:
        made += _matched(match, field, gateways, one, around)
    if not matches and field == "tcp":
        places = _places(block, field, gateways, None, one, around)
        made = [{"listeners": [At(place.listener, block.origin) for place in places]}] if places else []
    block.close()
    return [{**told, "destinations": destinations} for told in made] if destinations else []


def _matched(match: Block, field: str, gateways: list[At], one: Foreign, around: Surroundings) -> Iterator[Tree]:
    own, port = match.texts("gateways"), match.number("port")
    match.refuse("destinationSubnets", "a Listener has one address: write one for each")
    for name in ("sourceLabels", "sourceNamespace"):
        match.refuse(name, _BY_ADDRESS)
    source = match.text("sourceSubnet") if field == "tcp" else None
    hosts = match.texts("sniHosts") if field == "tls" else []
    match.close()
    places = _places(match, field, own or gateways, port, one, around)
    if field == "tcp":
        if places:
            told: Tree = {"listeners": [At(place.listener, match.origin) for place in places]}
            put(told, "source", [] if source is None else [source])
            yield told
        return
    if not hosts:
        match.findings.wrong(match.at("sniHosts"), "missing_field", "is required")
    by_hosts: dict[tuple[str, ...], list[_Place]] = {}
    for place in places:
        by_hosts.setdefault(_served(hosts, place.server, one), []).append(place)
    if hosts and places and not any(by_hosts):
        bounds = ", ".join(dict.fromkeys(bound for place in places for bound in place.server.hosts))
        match.findings.wrong(hosts[0].origin, "never_matches", f"its Gateways serve none of these hosts, only {bounds}")
    for served, of in by_hosts.items():
        if served:
            listeners = [At(place.listener, match.origin) for place in of]
            yield {"listeners": listeners, "hosts": [At(host, hosts[0].origin) for host in served]}


def _served(hosts: list[At], server: Server, one: Foreign) -> tuple[str, ...]:
    """As far as the server is for them."""
    common = (common_host(str(host.value), bound) for host in hosts for bound in _bounds(server, one))
    return tuple(dict.fromkeys(host for host in common if host))


def _bounds(server: Server, one: Foreign) -> list[str]:
    """The hosts that it has for documents of this namespace; none: it is for others alone."""
    named = zip(server.hosts, server.namespaces, strict=True)
    return [host for host, namespace in named if namespace in ("*", one.namespace)]


def _places(
    block: Block, field: str, gateways: list[At], port: At | None, one: Foreign, around: Surroundings
) -> list[_Place]:
    """What it is for; nothing, which was told, where no Gateway of the import has such a server."""
    named = [name for name in gateways if name.value != "mesh"]
    if len(named) < len(gateways) or not named:
        reason = "no route is needed on the mesh: CONNECT leads to a Service's ports of protocol tcp or tls"
        block.findings.refuse(block.origin, reason)
        return []
    places: list[_Place] = []
    for name in named:
        key = gateway_key(str(name.value), one.namespace)
        servers = around.gateways.get((ISTIO, *key))
        if servers is None:
            reason = f"Gateway {'/'.join(key)} is not in this import: put it there, so that its servers are known"
            block.findings.refuse(name.origin, reason)
            return []
        fit = [server for server in servers if _TAKES[field](server) and _bounds(server, one)]
        places += [_Place(listener_name(key[1], server.name), server) for server in fit]
    if port is not None:
        places = [place for place in places if place.server.port == port.value]
    if not places:
        origin = block.origin if port is None else port.origin
        reason = f"its Gateways have no such server of {_ASKED[field]} for {one.namespace}"
        block.findings.wrong(origin, "never_matches", reason)
    return places

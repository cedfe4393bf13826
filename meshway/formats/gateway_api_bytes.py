"""TCPRoute, TLSRoute and UDPRoute to TcpRoute, TlsRoute and UdpRoute: what is no call, by a Gateway's listeners.

On the mesh none is needed: CONNECT leads to the ports of Services.
"""

from collections.abc import Callable, Iterator
from typing import Final

from meshway.formats.foreign import At, Block
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.gateway_api_backend import GROUPS, backend
from meshway.formats.istio_gateway import common_host, is_opened, is_passed_on, listener_name
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import GATEWAY_API, Foreign, Server, Surroundings

Attached = dict[str, tuple[At, str]]
"""By the name of a Listener: where its Gateway is named, and the host that bounds it."""
# By the native kind: which listeners of a Gateway take it.
_TAKES: Final[dict[str, Callable[[Server], bool]]] = {
    "TcpRoute": is_opened,
    "TlsRoute": is_passed_on,
    "UdpRoute": lambda server: server.protocol == "UDP",
}
_ASKED: Final = {"TcpRoute": "TCP, or TLS in mode Terminate", "TlsRoute": "TLS in mode Passthrough", "UdpRoute": "UDP"}


def convert_tcp_route(one: Foreign, around: Surroundings) -> Iterator[Native]:
    yield from _convert(one, around, "TcpRoute")


def convert_tls_route(one: Foreign, around: Surroundings) -> Iterator[Native]:
    yield from _convert(one, around, "TlsRoute")


def convert_udp_route(one: Foreign, around: Surroundings) -> Iterator[Native]:
    yield from _convert(one, around, "UdpRoute")


def _convert(one: Foreign, around: Surroundings, kind: str) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    hostnames = spec.texts("hostnames") if kind == "TlsRoute" else []
    default = spec.choice("useDefaultGateways", {"All": True, "None": False})
    if default is not None and default.value:
        spec.findings.refuse(default.origin, "no gateway has a listener for it by default: name one in parentRefs")
    elif default is not None:
        spec.findings.warn(default.origin, "is ignored: None attaches it nowhere")
    parents, rules = spec.blocks("parentRefs"), spec.blocks("rules")
    spec.close()
    attached: Attached = {}
    for block in parents:
        attached |= _parent(block, kind, one, around)
    if not parents:
        spec.findings.wrong(spec.at("parentRefs"), "missing_field", "is required: a Gateway has its listener")
    destinations = _destinations(rules, one, around)
    if not rules:
        spec.findings.wrong(spec.at("rules"), "missing_field", "is required")
    if not attached or not destinations:
        return
    if kind != "TlsRoute":
        yield _native(kind, one, one.name, list(attached.values()), [], destinations)
        return
    bounds = {bound for _, bound in attached.values()}
    for bound in sorted(bounds):
        of_bound = [each for each in attached.values() if each[1] == bound]
        hosts = _hosts(hostnames, bound, of_bound[0][0])
        if hosts:
            name = one.name if len(bounds) == 1 else f"{one.name}-{of_bound[0][0].value}"
            yield _native(kind, one, name, of_bound, hosts, destinations)
        else:
            reason = f"its Gateway takes none of these hosts, only {bound}"
            spec.findings.wrong(hostnames[0].origin, "never_matches", reason)


def _native(
    kind: str, one: Foreign, name: str, attached: list[tuple[At, str]], hosts: list[At], destinations: list[At]
) -> Native:
    told: Tree = {"listeners": [listener for listener, _ in attached]}
    put(told, "hosts", hosts)
    told["destinations"] = destinations
    return Native(kind, one.namespace, name, told, [one.document])


def _hosts(hostnames: list[At], bound: str, listener: At) -> list[At]:
    if not hostnames:
        return [At(bound, listener.origin)]
    found = [At(common_host(str(host.value), bound), host.origin) for host in hostnames]
    return list({host.value: host for host in found if host.value}.values())


def _parent(block: Block, kind: str, one: Foreign, around: Surroundings) -> Attached:
    group, what = block.text("group"), block.text("kind")
    name, namespace = block.text("name"), block.text("namespace")
    section, port = block.text("sectionName"), block.number("port")
    block.close()
    if name is None:
        block.findings.wrong(block.at("name"), "missing_field", "is required")
        return {}
    of, named = (group.value if group else GATEWAY_API), (what.value if what else "Gateway")
    if (of, named) != (GATEWAY_API, "Gateway"):
        reason = f"{of}/{named} is no parent here: a Gateway is"
        if named == "Service" and of in GROUPS:
            reason = "no route is needed on the mesh: CONNECT leads to a Service's ports of protocol tcp or tls"
        block.findings.refuse(what.origin if what else block.origin, reason)
        return {}
    gateway = (namespace.value if namespace else one.namespace, name.value)
    servers = around.gateways.get((GATEWAY_API, *gateway))
    if servers is None:
        reason = f"Gateway {'/'.join(gateway)} is not in this import: put it there, so that its listeners are known"
        block.findings.refuse(name.origin, reason)
        return {}
    for chosen, field in ((section, "name"), (port, "port")):
        if chosen is not None:
            servers = [server for server in servers if getattr(server, field) == chosen.value]
            if not servers:
                block.findings.wrong(chosen.origin, "unknown_reference", f"no listener {chosen.value} of its Gateway")
                return {}
    fit = [server for server in servers if _TAKES[kind](server)]
    if not fit:
        origin = section.origin if section else port.origin if port else name.origin
        block.findings.wrong(origin, "never_matches", f"its Gateway has no such listener of {_ASKED[kind]}")
    own = [listener_name(name.value, server.name) for server in fit]
    return {each: (At(each, name.origin), server.hosts[0]) for each, server in zip(own, fit, strict=True)}


def _destinations(rules: list[Block], one: Foreign, around: Surroundings) -> list[At]:
    destinations = []
    for at, rule in enumerate(rules):
        rule.ignore("name", "a route of bytes has one rule")
        for inner in rule.blocks("backendRefs"):
            destination = backend(inner, one, around)
            weight = inner.number("weight")
            inner.close()
            if destination is not None and not at:
                put(destination, "weight", weight)
                destinations.append(At(destination, inner.origin))
        rule.close()
        if at:
            rule.findings.refuse(rule.origin, "nothing tells one rule from another: write one")
        elif not rule.has("backendRefs"):
            rule.findings.wrong(rule.at("backendRefs"), "missing_field", "is required")
    return destinations

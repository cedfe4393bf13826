"""Gateway API's Gateway and ReferenceGrant: which hosts of a route the edge serves, and who consents.

Listeners of HTTP and HTTPS are the edge's own two; each of TCP, TLS and UDP becomes a Listener.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from meshway.formats.foreign import At, Block, Origin
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.istio_gateway import common_host, listener_name, refuse_shared
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import GATEWAY_API, Foreign, Server, Surroundings

HTTP: Final = frozenset({"", "HTTP", "HTTPS"})
BYTES: Final = frozenset({"TCP", "TLS", "UDP"})


def listeners_of(gateway: Foreign) -> list[Server]:
    """What a Gateway lets through, unjudged, for those who refer to it."""
    spec = gateway.document.raw.get("spec")
    listeners = spec.get("listeners") if isinstance(spec, Mapping) else None
    return [
        Server(
            name=str(one.get("name") or ""),
            port=one.get("port") or 0,
            protocol=str(one.get("protocol") or "").upper(),
            hosts=(str(one.get("hostname") or "*"),),
            namespaces=("*",),
            is_passed_on=_is_passed_on(one),
        )
        for one in (listeners if isinstance(listeners, list) else [])
        if isinstance(one, Mapping)
    ]


def _is_passed_on(listener: Mapping[str, object]) -> bool:
    tls = listener.get("tls")
    return isinstance(tls, Mapping) and tls.get("mode") == "Passthrough"


def grants_of(one: Foreign) -> Iterator[tuple[str, str, str, str | None]]:
    """(from kind, from namespace, to namespace, to Service; None: every one)."""
    spec = one.document.raw.get("spec")
    if not isinstance(spec, Mapping):
        return
    targets = [
        to
        for to in spec.get("to") or []
        if isinstance(to, Mapping) and to.get("kind") == "Service" and to.get("group", "") in ("", "core")
    ]
    for source in spec.get("from") or []:
        if isinstance(source, Mapping) and source.get("group") == GATEWAY_API:
            for target in targets:
                yield str(source.get("kind")), str(source.get("namespace")), one.namespace, target.get("name")


def attached_hosts(
    gateway: tuple[str, str],
    section: At | None,
    port: At | None,
    hostnames: list[At],
    around: Surroundings,
    origin: Origin,
) -> list[At]:
    """The hosts of a route that the Gateway's listeners serve: all of them where the Gateway is not in the import."""
    servers = around.gateways.get((GATEWAY_API, *gateway))
    if servers is None:
        for chosen in (section, port):
            if chosen is not None:
                reason = f"Gateway {'/'.join(gateway)} is not in this import: put it there, or take this out"
                around.findings.refuse(chosen.origin, reason)
        reason = f"Gateway {'/'.join(gateway)} is not in this import, so its listeners do not bound the hosts"
        around.findings.warn(origin, reason, "unknown_gateway")
        return list(hostnames)
    servers = [server for server in servers if server.protocol in HTTP]
    for chosen, field in ((section, "name"), (port, "port")):
        if chosen is not None:
            servers = [server for server in servers if getattr(server, field) == chosen.value]
            if not servers:
                around.findings.wrong(chosen.origin, "unknown_reference", f"no listener {chosen.value} of its Gateway")
                return []
    wanted = hostnames or [At("*", origin)]
    served = [
        At(common, host.origin)
        for host in wanted
        for server in servers
        for bound in server.hosts
        if (common := common_host(str(host.value), bound))
    ]
    if not served:
        bounds = ", ".join(bound for server in servers for bound in server.hosts)
        reason = f"its Gateway serves none of these hosts, only {bounds}"
        around.findings.wrong(wanted[0].origin, "never_matches", reason)
    return served


def convert_gateway(one: Foreign, around: Surroundings) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    spec.ignore("gatewayClassName", "every gateway has an edge listener")
    spec.ignore("infrastructure", "nothing is started for it")
    spec.ignore("defaultScope", "useDefaultGateways of a route puts it on the edge")
    spec.refuse("addresses", "addresses are a Listener's: write one with address")
    spec.refuse("allowedListeners", "a Namespace says which hosts are its own: edge_hosts")
    spec.refuse("tls", "write a TrafficPolicy with tls for backends, a Listener with client_auth for callers")
    for listener in spec.blocks("listeners"):
        hostname, port = listener.text("hostname"), listener.number("port")
        name, protocol = listener.text("name"), listener.text("protocol")
        _allowed(listener)
        tls = listener.block("tls")
        mode = tls.choice("mode", {"Terminate": "terminate", "Passthrough": "passthrough"}) if tls else None
        listener.close()
        spoken = str(protocol.value) if protocol is not None else ""
        own = listener_name(one.name, name.value if name else "")
        if protocol is not None and spoken in BYTES:
            told: Tree = {}
            put(told, "port", port)
            told["protocol"] = At(spoken.lower(), protocol.origin)
            if spoken == "TLS":
                put(told, "tls.mode", mode or At("terminate", protocol.origin))
            if port is not None:
                refuse_shared(port, own, spoken, around)
            yield Native("Listener", "mesh", own, told, [one.document])
        elif port is not None:
            listener.findings.warn(port.origin, "is ignored: the edge listener has its own port")
        if spoken not in HTTP | BYTES and protocol is not None:
            listener.findings.refuse(protocol.origin, f"{spoken} is not carried: HTTP, HTTPS, TCP, TLS and UDP are")
        if tls is not None and (certificate := _certificate(tls, mode, spoken)):
            put(certificate, "hosts", [hostname] if hostname is not None and hostname.value != "*" else [])
            put(certificate, "listeners", [At(own, tls.origin)] if spoken == "TLS" else [])
            yield Native("Certificate", one.namespace, own, certificate, [one.document])
    spec.close()


def convert_reference_grant(one: Foreign, around: Surroundings) -> Iterator[Native]:
    """Nothing of its own yet: it is asked while the routes of its import are converted."""
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    spec.findings.warn(spec.origin, "is asked at this import alone: write an AccessPolicy once it is built")
    for field, names in (("from", ("group", "kind", "namespace")), ("to", ("group", "kind", "name"))):
        for block in spec.blocks(field):
            for name in names:
                block.text(name)
            block.close()
    spec.close()
    yield from ()


def _allowed(listener: Block) -> None:
    """Every namespace may attach: only the spelling that says so is taken."""
    allowed = listener.block("allowedRoutes")
    if allowed is None:
        return
    if kinds := allowed.blocks("kinds"):
        for kind in kinds:
            kind.take("group")
            kind.take("kind")
            kind.close()
        allowed.findings.warn(allowed.at("kinds"), "is ignored: routes of every kind that is read are attached")
    if namespaces := allowed.block("namespaces"):
        source = namespaces.choice("from", {"All": True, "Same": False, "Selector": False, "None": False})
        if source is not None and not source.value:
            reason = "any namespace's routes are attached: a Namespace's edge_hosts keep others from a host"
            namespaces.findings.refuse(source.origin, reason)
        elif source is not None:
            namespaces.findings.warn(source.origin, "is ignored: All is how it is")
        namespaces.refuse("selector", "a Namespace's edge_hosts keep others from a host")
        namespaces.close()
    allowed.close()


def _certificate(tls: Block, mode: At | None, spoken: str) -> Tree:
    told: Tree = {}
    if mode is not None and spoken != "TLS":
        if mode.value == "passthrough":
            tls.findings.refuse(mode.origin, "connections are passed on unopened by protocol TLS: write that")
        else:
            tls.findings.warn(mode.origin, "is ignored: Terminate is how it is")
    tls.refuse("options", "are another gateway's own: write a Listener")
    for at, reference in enumerate(tls.blocks("certificateRefs")):
        for field, known in (("group", ("", "core")), ("kind", ("Secret",))):
            value = reference.text(field)
            if value is not None and value.value not in known:
                reference.findings.refuse(value.origin, f"{value.value} holds no certificate here: a Secret does")
        name, namespace = reference.text("name"), reference.text("namespace")
        reference.close()
        if at:
            reference.findings.refuse(reference.origin, "write one Certificate for each secret")
        elif name is not None:
            told["secret"] = name if namespace is None else {"secret": name, "namespace": namespace}
    tls.close()
    return told

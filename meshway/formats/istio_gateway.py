"""Istio's Gateway: which hosts of a VirtualService the edge serves; its certificates become native ones.

Servers of HTTP are the edge's own two listeners; each of TCP and TLS becomes a Listener.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshway.formats.foreign import At, Block
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.foreign_values import at_block
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import ISTIO, Foreign, Server, Surroundings

_EDGE: Final = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS"})
_TCP: Final = frozenset({"TCP", "MONGO", "MYSQL", "REDIS"})
_BYTES: Final = frozenset({"TCP", "TLS"})
_PASSTHROUGH: Final = "PASSTHROUGH"
_PINS: Final = "pin the names of the callers' certificates by an Authentication with mtls.allowed"


def gateway_key(written: str, namespace: str) -> tuple[str, str]:
    """`ns/name`, or a name in the document's own namespace."""
    own, slash, name = written.rpartition("/")
    return (own or namespace, name) if slash else (namespace, written)


def servers_of(one: Foreign) -> list[Server]:
    """What a Gateway lets through, unjudged, for those who refer to it."""
    spec = one.document.raw.get("spec")
    servers = spec.get("servers") if isinstance(spec, dict) else None
    found = []
    for server in servers if isinstance(servers, list) else []:
        if not isinstance(server, Mapping):
            continue
        written = server.get("port")
        port: Mapping[str, Any] = written if isinstance(written, Mapping) else {}
        named = server.get("hosts")
        hosts = [str(host) for host in named] if isinstance(named, list) else []
        found.append(
            Server(
                name=str(server.get("name") or port.get("name") or ""),
                port=port.get("number") or 0,
                protocol=_carried(server, str(port.get("protocol") or "").upper()),
                hosts=tuple(host.rpartition("/")[2] for host in hosts),
                namespaces=tuple(_namespace(host, one.namespace) for host in hosts),
                is_passed_on=_is_passed_on(server),
            )
        )
    return found


def listener_name(gateway: str, server: str) -> str:
    """Of the Listener that a server, or another mesh's listener, of TCP, TLS or UDP becomes."""
    return f"{gateway}-{server}" if server else gateway


def is_passed_on(server: Server) -> bool:
    return server.protocol == "TLS" and server.is_passed_on


def is_opened(server: Server) -> bool:
    """Its connections are carried, and nobody else ends their TLS."""
    return server.protocol == "TCP" or (server.protocol == "TLS" and not server.is_passed_on)


def _is_passed_on(server: Mapping[str, object]) -> bool:
    tls = server.get("tls")
    return isinstance(tls, Mapping) and tls.get("mode") == _PASSTHROUGH


def _carried(server: Mapping[str, object], protocol: str) -> str:
    """TCP and TLS, whatever they are called."""
    if protocol in _TCP:
        return "TCP"
    return "TLS" if protocol == "HTTPS" and _is_passed_on(server) else protocol


def _namespace(host: str, own: str) -> str:
    """Whose VirtualServices the host is for: `./a.example` the Gateway's own, `*/a.example` and `a.example` all."""
    written = host.rpartition("/")[0] or "*"
    return own if written == "." else written


def server_ports(gateways: frozenset[tuple[str, str]], around: Surroundings) -> frozenset[int]:
    """The ports of Gateways of this import."""
    return frozenset(
        server.port
        for namespace, name in gateways
        for server in around.gateways.get((ISTIO, namespace, name), ())
        if server.protocol not in _BYTES
    )


def bounded_hosts(
    hosts: list[At], gateways: frozenset[tuple[str, str]], one: Foreign, around: Surroundings
) -> list[At]:
    """The hosts that the named Gateways serve; those of a Gateway outside the import are not known."""
    known = [around.gateways[(ISTIO, *key)] for key in gateways if (ISTIO, *key) in around.gateways]
    for key in sorted(gateways):
        if (ISTIO, *key) not in around.gateways:
            origin = around.root(one).at("spec.gateways")
            reason = f"Gateway {'/'.join(key)} is not in this import, so its hosts do not bound these"
            around.findings.warn(origin, reason, "unknown_gateway")
    if len(known) < len(gateways) or not gateways:
        return hosts
    bounds = [
        bound
        for servers in known
        for server in servers
        if server.protocol not in _BYTES
        for bound, namespace in zip(server.hosts, server.namespaces, strict=True)
        if namespace in ("*", one.namespace)
    ]
    served = [
        At(common, host.origin)
        for host in hosts
        for common in dict.fromkeys(common_host(str(host.value), bound) for bound in bounds)
        if common
    ]
    if not served and hosts:
        served_by = f"its Gateways serve none of these hosts, only {', '.join(bounds)}"
        reason = served_by if bounds else "its Gateways have no server by which calls of HTTP come here"
        around.findings.wrong(hosts[0].origin, "never_matches", reason)
    return list({host.value: host for host in served}.values())


def common_host(one: str, other: str) -> str | None:
    """The hosts both patterns hold."""
    if one == other or other == "*":
        return one
    if one == "*" or (one.startswith("*.") and other.endswith(one[1:])):
        return other
    return one if other.startswith("*.") and one.endswith(other[1:]) else None


def convert_gateway(one: Foreign, around: Surroundings) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    spec.ignore("selector", "every gateway has an edge listener")
    edge: Tree = {}
    edge_tls: Tree = {}
    for at, (server, known) in enumerate(zip(spec.blocks("servers"), servers_of(one), strict=True)):
        port, hosts = server.block("port"), server.texts("hosts")
        server.refuse("bind", "addresses are a Listener's: write one with address")
        server.refuse("defaultEndpoint", "calls go where a Route sends them")
        name, listener = "edge-tls", edge_tls
        if known.protocol in _BYTES:
            server.take("name")
            name, listener = listener_name(one.name, known.name), {} if port is None else _own_listener(port, known)
            if port is not None:
                refuse_shared(At(known.port, port.at("number")), name, known.protocol, around)
            yield Native("Listener", "mesh", name, listener, [one.document])
        else:
            server.ignore("name", "hosts and certificates are not kept by server")
            if port is not None:
                _port(port)
        tls = server.block("tls")
        server.close()
        if tls is None:
            continue
        if is_passed_on(known):
            _passed_on(tls)
            continue
        names = [At(str(host.value).rpartition("/")[2], host.origin) for host in hosts]
        certificate = _tls(tls, [host for host in names if host.value != "*"], edge, listener, name, known.protocol)
        if certificate:
            own = one.name if at == 0 else f"{one.name}-{at}"
            yield Native("Certificate", one.namespace, own, certificate, [one.document])
    spec.close()
    for name, listener in (("edge", edge), ("edge-tls", edge_tls)):
        if listener:
            yield Native("Listener", "mesh", name, listener, [one.document])


def refuse_shared(port: At, name: str, protocol: str, around: Surroundings) -> None:
    """A port is one Listener's, whichever Gateway it is of: the first one's. name: of the one that asks for it."""
    for (_, _, gateway), servers in around.gateways.items():
        for server in servers:
            is_of_bytes = server.protocol in _BYTES or server.protocol == "UDP"
            if is_of_bytes and server.port == port.value and (server.protocol == "UDP") == (protocol == "UDP"):
                first = listener_name(gateway, server.name)
                if first != name:
                    reason = f"{port.value} is the port of Listener {first}: put hosts and routes of both there"
                    around.findings.refuse(port.origin, reason)
                return


def _port(block: Block) -> None:
    protocol = block.text("protocol")
    if (number := block.number("number")) is not None:
        block.findings.warn(number.origin, "is ignored: the edge listener has its own port")
    block.ignore("name", "the edge listener has its own")
    block.ignore("targetPort", "it is Istio's own, and old")
    block.close()
    if protocol is not None and str(protocol.value).upper() not in _EDGE:
        reason = f"{protocol.value} is not carried: HTTP, HTTP2, GRPC, HTTPS, TLS, TCP, MONGO, MYSQL and REDIS are"
        block.findings.refuse(protocol.origin, reason)


def _own_listener(block: Block, server: Server) -> Tree:
    told: Tree = {}
    put(told, "port", block.number("number"))
    told["protocol"] = At(server.protocol.lower(), block.at("protocol"))
    if server.protocol == "TLS":
        put(told, "tls.mode", At("passthrough" if server.is_passed_on else "terminate", block.at("protocol")))
    block.take("protocol")
    block.take("name")  # a part of the Listener's
    block.ignore("targetPort", "it is Istio's own, and old")
    block.close()
    return told


def _passed_on(block: Block) -> None:
    for field in block.names():
        if field == "httpsRedirect":
            block.refuse(field, "a connection that is passed on unopened is no call")
        elif field != "mode":
            block.ignore(field, "handshakes are passed on unopened")
    block.take("mode")
    block.close()


def _tls(block: Block, hosts: list[At], edge: Tree, listener: Tree, shown: str, protocol: str) -> Tree:
    """The Certificate of one server, and what Listeners must say of it: the edge's, and the one that shows it, by its
    name."""
    if (redirects := block.flag("httpsRedirect")) is not None and redirects.value:
        put(edge, "redirect_https", At({"status": 301}, redirects.origin))
    mode = block.choice("mode", {name: name for name in _MODES})
    certificate: Tree = {}
    put(certificate, "secret", block.text("credentialName"))
    for name in block.texts("credentialNames"):
        certificate.setdefault("secret", name)
        if certificate["secret"] is not name:
            block.findings.refuse(name.origin, "write one Certificate for each secret")
    put(certificate, "files.certificate", block.text("serverCertificate"))
    put(certificate, "files.key", block.text("privateKey"))
    trust = block.text("caCertCredentialName")
    if mode is not None:
        if _MODES[mode.value] is None:
            block.findings.refuse(mode.origin, f"{mode.value} is not carried: SIMPLE, MUTUAL and OPTIONAL_MUTUAL are")
        elif _MODES[mode.value] != "none":
            put(listener, "tls.client_auth", At(_MODES[mode.value], mode.origin))
            put(listener, "tls.trust", trust)
    lowest = block.choice(
        "minProtocolVersion",
        {"TLS_AUTO": "1.2", "TLSV1_0": None, "TLSV1_1": None, "TLSV1_2": "1.2", "TLSV1_3": "1.3"},
    )
    if lowest is not None and lowest.value is None:
        block.findings.refuse(lowest.origin, "TLS before 1.2 is broken: write TLSV1_2")
    elif lowest is not None:
        put(listener, "tls.min_version", lowest)
    for field in ("caCertificates", "caCrl", "tlsCertificates"):
        block.refuse(field, "files of the proxy's own: put them into a Secret and write credentialName")
    for field in ("subjectAltNames", "verifyCertificateSpki", "verifyCertificateHash"):
        block.refuse(field, _PINS)
    block.refuse("maxProtocolVersion", "the newest version both sides know is spoken")
    block.refuse("cipherSuites", "only ciphers that are sound are offered")
    block.refuse("insecureSkipVerify", "a caller's certificate that is asked for is verified")
    block.close()
    if certificate and protocol in ("HTTPS", "TLS"):
        put(certificate, "hosts", hosts)
        put(certificate, "listeners", [At(shown, block.origin)] if protocol == "TLS" else [])
        return {
            name: at_block(value, block.origin) if isinstance(value, dict) else value
            for name, value in certificate.items()
        }
    return {}


_MODES: Final[dict[str, str | None]] = {
    "SIMPLE": "none", "MUTUAL": "require", "OPTIONAL_MUTUAL": "optional", "PASSTHROUGH": None,
    "AUTO_PASSTHROUGH": None, "ISTIO_MUTUAL": None,
}  # fmt: skip

"""ServiceEntry to Service: a name outside (DNS) or written endpoints (STATIC)."""

from collections.abc import Iterator
from typing import Final

from meshway.formats.foreign import At, Block
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.foreign_values import label_of
from meshway.formats.istio_route import refuse_export
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import Foreign, ServiceName, Surroundings

_CLEAR: Final = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB"})
_BYTES: Final = frozenset({"TCP", "MONGO", "MYSQL", "REDIS"})
_SEALED: Final = frozenset({"HTTPS", "TLS"})
_CLUSTER: Final = ".svc.cluster.local"


def entry_services(one: Foreign) -> dict[str, ServiceName]:
    """The service that each host of the entry becomes, unjudged, for those who refer to it."""
    spec = one.document.raw.get("spec")
    hosts = spec.get("hosts") if isinstance(spec, dict) else None
    found: dict[str, ServiceName] = {}
    for host in hosts if isinstance(hosts, list) else []:
        text = str(host).lower()
        if text.endswith(_CLUSTER) and text.removesuffix(_CLUSTER).count(".") == 1:
            name, _, namespace = text.removesuffix(_CLUSTER).partition(".")
            found[text] = ServiceName(namespace, name)
        else:
            found[text] = ServiceName(one.namespace, label_of(text))
    return found


def entry_ports(one: Foreign) -> dict[int, str]:
    spec = one.document.raw.get("spec")
    ports = spec.get("ports") if isinstance(spec, dict) else None
    return {
        port["number"]: str(port.get("name") or "http")
        for port in (ports if isinstance(ports, list) else [])
        if isinstance(port, dict) and isinstance(port.get("number"), int)
    }


def convert_service_entry(one: Foreign, around: Surroundings) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    hosts = spec.texts("hosts")
    if not hosts and not spec.has("hosts"):
        spec.findings.wrong(spec.at("hosts"), "missing_field", "is required")
    resolution = spec.text("resolution")
    how = resolution.value if resolution else "NONE"
    if how not in ("DNS", "STATIC"):
        origin = resolution.origin if resolution else spec.at("resolution")
        spec.findings.refuse(origin, f"{how} calls the address that was asked for, or asks anew: write DNS or STATIC")
    spec.ignore("location", "calls to it go through the gateways, outside or inside alike")
    spec.refuse("addresses", "services are called by name: take the addresses out")
    spec.refuse("workloadSelector", "instances register: write endpoints, or have them registered")
    spec.refuse("subjectAltNames", "write a TrafficPolicy with tls.subject_alt_names")
    refuse_export(spec)
    endpoints = spec.blocks("endpoints")
    port = _one_port(spec)
    spec.close()
    names = entry_services(one)
    if how == "STATIC":
        yield from _static(spec, hosts, port, endpoints, names, one)
    elif how == "DNS":
        yield from _external(spec, hosts, port, endpoints, names, one)


class _Port:
    """number and protocol as written; target: where it listens."""

    __slots__ = ("name", "number", "protocol", "target")

    def __init__(self, block: Block) -> None:
        self.number = block.number("number")
        self.name = block.text("name")
        self.protocol = block.text("protocol")
        self.target = block.number("targetPort") or self.number
        block.close()
        word = self.word
        if self.protocol is not None and word not in _CLEAR | _SEALED | _BYTES:
            known = ", ".join(sorted(_CLEAR | _SEALED | _BYTES))
            block.findings.refuse(self.protocol.origin, f"{word} is none of {known}")

    @property
    def word(self) -> str:
        return str(self.protocol.value).upper() if self.protocol else "HTTP"


def _one_port(spec: Block) -> _Port | None:
    ports = [(_Port(block), block) for block in spec.blocks("ports")]
    for _, block in ports[1:]:
        spec.findings.refuse(block.origin, "a service outside has one port: write a ServiceEntry for each")
    if not ports:
        spec.findings.wrong(spec.at("ports"), "missing_field", "is required")
        return None
    return ports[0][0]


def _service_ports(port: _Port | None) -> list[Tree]:
    told: Tree = {}
    if port is None:
        return []
    put(told, "name", At(label_of(port.name.value), port.name.origin) if port.name else None)
    put(told, "port", port.number)
    if port.word in ("HTTP2", "GRPC") and port.protocol is not None:
        told["protocol"] = At(port.word.lower(), port.protocol.origin)
    elif port.word in _BYTES and port.protocol is not None:
        told["protocol"] = At("tcp", port.protocol.origin)
    return [told] if told else []


def _external(
    spec: Block,
    hosts: list[At],
    port: _Port | None,
    endpoints: list[Block],
    names: dict[str, ServiceName],
    one: Foreign,
) -> Iterator[Native]:
    """A Service for each host, called by the host's own name or that of its only endpoint."""
    address: At | None = None
    for at, block in enumerate(endpoints):
        endpoint = _endpoint(block, port)
        if at == 0:
            address = endpoint.get("address")
        else:
            spec.findings.refuse(block.origin, "one name is resolved for a service outside: write one endpoint")
    for host in hosts:
        name = names[str(host.value).lower()]
        if "*" in str(host.value):
            spec.findings.refuse(host.origin, "no wildcard is resolved: write each host")
            continue
        external: Tree = {"host": address or host}
        put(external, "port", port.target if port else None)
        sealed = port is not None and port.word in _SEALED
        if port is not None:
            external["tls"] = At(sealed, (port.protocol or port.number or host).origin)
        if sealed and port is not None and port.protocol is not None:
            reason = "callers speak HTTP to the mesh, and the gateway speaks TLS to the service"
            spec.findings.warn(port.protocol.origin, reason, "tls_by_gateway")
        service: Tree = {"type": "external", "external": external, "aliases": [host]}
        put(service, "ports", _service_ports(port))
        yield Native("Service", name.namespace, name.name, service, [one.document])


def _static(
    spec: Block,
    hosts: list[At],
    port: _Port | None,
    endpoints: list[Block],
    names: dict[str, ServiceName],
    one: Foreign,
) -> Iterator[Native]:
    """One Service, called by each of the hosts."""
    if port is not None and port.word in _SEALED and port.protocol is not None:
        spec.findings.refuse(port.protocol.origin, "write HTTP, and a TrafficPolicy with tls.mode: simple")
    written = [At(_endpoint(block, port), block.origin) for block in endpoints]
    if not written:
        spec.findings.wrong(spec.at("endpoints"), "missing_field", "is required where resolution is STATIC")
    if not hosts:
        return
    first = names[str(hosts[0].value).lower()]
    service: Tree = {"type": "static", "endpoints": written, "aliases": hosts}
    put(service, "ports", _service_ports(port))
    yield Native("Service", first.namespace, first.name, service, [one.document])


def _endpoint(block: Block, port: _Port | None) -> Tree:
    told: Tree = {}
    put(told, "address", block.text("address"))
    ports = block.block("ports")
    own: At | None = None
    if ports is not None:
        wanted = port.name.value if port is not None and port.name is not None else ""
        for name in list(ports.names()):
            number = ports.number(name)
            if name == wanted:
                own = number
            else:
                ports.findings.wrong(ports.at(name), "unknown_reference", f"{name} is no port of this entry")
    put(told, "port", own or (port.target if port else None))
    put(told, "weight", block.number("weight"))
    if (locality := block.text("locality")) is not None:
        parts = str(locality.value).split("/")
        told["zone"] = At(parts[1] if len(parts) > 1 else parts[0], locality.origin)
    for label, value in block.members("labels").items():
        if label == "version":
            told["version"] = value
        else:
            told.setdefault("metadata", {})[label] = value
    block.ignore("network", "every endpoint is called directly")
    block.ignore("serviceAccount", "endpoints that do not register have no identity of the mesh")
    block.close()
    return told

"""Kubernetes' Service and Deployment to Service: its ports, and a subset for each version that a Deployment runs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshway.formats.foreign import At, Block, Origin
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.foreign_values import label_of
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import CORE, ISTIO, Foreign, ServiceName, Surroundings

# Of appProtocol, and before the first "-" of a port's name, as Istio reads it.
_PROTOCOLS: Final = {
    "http": "http", "http2": "http2", "kubernetes.io/h2c": "http2", "grpc": "grpc", "tcp": "tcp", "tls": "tls",
    "https": "tls",
}  # fmt: skip
_OF_THE_CLUSTER: Final = (
    "allocateLoadBalancerNodePorts", "clusterIP", "clusterIPs", "externalIPs", "externalTrafficPolicy",
    "healthCheckNodePort", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "loadBalancerClass",
    "loadBalancerIP", "loadBalancerSourceRanges", "publishNotReadyAddresses", "sessionAffinityConfig",
    "trafficDistribution", "type",
)  # fmt: skip
_RUNNING: Final = (
    "minReadySeconds", "paused", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit", "selector", "strategy",
)  # fmt: skip


def service_ports(one: Foreign) -> dict[int, str]:
    """The names of a Service's ports, unjudged, for those who refer to it."""
    spec = one.document.raw.get("spec")
    ports = spec.get("ports") if isinstance(spec, Mapping) else None
    return {
        port["port"]: label_of(str(port.get("name") or "http"))
        for port in (ports if isinstance(ports, list) else [])
        if isinstance(port, Mapping) and isinstance(port.get("port"), int)
    }


def convert_service(one: Foreign, around: Surroundings) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    selector = {name: value.value for name, value in spec.members("selector").items()}
    deployments = [
        deployment
        for deployment in around.of_kind("apps", "Deployment")
        if deployment.namespace == one.namespace and selector and selector.items() <= _pod_labels(deployment).items()
    ]
    spec.refuse("externalName", "write a ServiceEntry, or a Service with type: external")
    affinity = spec.choice("sessionAffinity", {"None": False, "ClientIP": True})
    if affinity is not None and affinity.value:
        spec.findings.refuse(affinity.origin, "write a TrafficPolicy with load_balancer.hash_key: {source_ip: true}")
    written = [name for name in _OF_THE_CLUSTER if spec.take(name) is not None]
    if written:
        spec.findings.warn(spec.at(written[0]), f"is ignored, the cluster's own: {', '.join(written)}")
    ports = [At(_port(block, deployments), block.origin) for block in spec.blocks("ports")]
    spec.close()
    told: Tree = {}
    put(told, "ports", ports)
    parts = {"ports"}
    service = ServiceName(one.namespace, one.name)
    is_ruled = any(_is_ruled(rule, service, around) for rule in around.of_kind(ISTIO, "DestinationRule"))
    if not is_ruled and (subsets := _subsets(deployments)):
        put(told, "subsets", subsets)
        parts.add("subsets")
    sources = [one.document, *(deployment.document for deployment in deployments)]
    yield Native("Service", one.namespace, one.name, told, sources, frozenset(parts))


def convert_deployment(one: Foreign, around: Surroundings) -> Iterator[Native]:
    """Nothing of its own: its Service reads what it needs. What is left is told here."""
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    labels = _pod_labels(one)
    services = [
        service
        for service in around.of_kind(CORE, "Service")
        if service.namespace == one.namespace and _selects(service, labels)
    ]
    if not services:
        reason = "is ignored: no Service of this import selects its pods"
        spec.findings.warn(Origin(one.document, "metadata.name"), reason)
    for name in (*_RUNNING, "template"):
        spec.take(name)
    reason = "its pods' labels and containerPorts are read and nothing else: the mesh starts no programs"
    spec.findings.warn(spec.origin, reason)
    spec.close()
    yield from ()


def _port(block: Block, deployments: list[Foreign]) -> Tree:
    told: Tree = {}
    name = block.text("name")
    put(told, "name", At(label_of(name.value), name.origin) if name else None)
    put(told, "port", block.number("port"))
    target = block.take("targetPort")
    origin = block.at("targetPort")
    if isinstance(target, int) and not isinstance(target, bool):
        told["target_port"] = At(target, origin)
    elif target is not None:
        number = next((port for one in deployments if (port := _container_ports(one).get(str(target)))), None)
        if number is None:
            block.findings.warn(origin, f"is ignored: no Deployment of this import names a containerPort {target!r}")
        else:
            told["target_port"] = At(number, origin)
    transport = block.choice("protocol", {"TCP": "", "UDP": "udp", "SCTP": "sctp"})
    if transport is not None and transport.value == "sctp":
        block.findings.refuse(transport.origin, "SCTP is not carried")
    application = block.text("appProtocol")
    if transport is not None and transport.value == "udp":
        told["protocol"] = transport
    elif application is not None:
        if application.value in _PROTOCOLS:
            told["protocol"] = At(_PROTOCOLS[application.value], application.origin)
        else:
            block.findings.refuse(application.origin, f"{application.value} is none of {', '.join(_PROTOCOLS)}")
    elif name is not None and (protocol := _PROTOCOLS.get(str(name.value).partition("-")[0])) not in (None, "http"):
        told["protocol"] = At(protocol, name.origin)
    block.ignore("nodePort", "callers from outside come to the edge listener")
    block.close()
    return told


def _subsets(deployments: list[Foreign]) -> list[At]:
    subsets: dict[str, At] = {}
    for one in deployments:
        if version := _pod_labels(one).get("version"):
            origin = Origin(one.document, "spec.template.metadata.labels.version")
            subset = {"name": label_of(version), "match": {"version": At(version, origin)}}
            subsets.setdefault(version, At(subset, origin))
    return list(subsets.values())


def _pod_labels(one: Foreign) -> dict[str, str]:
    metadata = _member(_member(one.document.raw, "spec", "template"), "metadata")
    labels = metadata.get("labels")
    return {str(name): str(value) for name, value in labels.items()} if isinstance(labels, Mapping) else {}


def _container_ports(one: Foreign) -> dict[str, int]:
    containers = _member(one.document.raw, "spec", "template", "spec").get("containers")
    return {
        str(port.get("name")): port["containerPort"]
        for container in (containers if isinstance(containers, list) else [])
        for port in (container.get("ports") or [] if isinstance(container, Mapping) else [])
        if isinstance(port, Mapping) and isinstance(port.get("containerPort"), int)
    }


def _selects(service: Foreign, labels: Mapping[str, str]) -> bool:
    selector = _member(service.document.raw, "spec").get("selector")
    if not isinstance(selector, Mapping) or not selector:
        return False
    return {str(name): str(value) for name, value in selector.items()}.items() <= labels.items()


def _is_ruled(rule: Foreign, service: ServiceName, around: Surroundings) -> bool:
    """A DestinationRule of the import names this service's subsets, so its Deployments do not."""
    spec = _member(rule.document.raw, "spec")
    host = At(str(spec.get("host")), Origin(rule.document, "spec.host"))
    return bool(spec.get("subsets")) and around.service_of(host, rule.namespace) == service


def _member(raw: Any, *names: str) -> Mapping[str, Any]:
    for name in names:
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, Mapping) else {}

"""What the documents of one import say of each other: services by host, names of ports, gateways, consents."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from meshway.formats.foreign import At, Block, Findings, Origin, document_name
from meshway.formats.yaml_documents import WrittenDocument

ISTIO: Final = "networking.istio.io"
GATEWAY_API: Final = "gateway.networking.k8s.io"
CORE: Final = "core"
_CLUSTER_SUFFIXES: Final = (".svc.cluster.local", ".svc", ".mesh")


class Options(msgspec.Struct, frozen=True):
    """partial: what is refused is left out and warned about. istio_retries: retry every method, as Istio does."""

    partial: bool = False
    istio_retries: bool = False


class Foreign(NamedTuple):
    """A foreign document and whose it is. group: of its apiVersion, without the version."""

    document: WrittenDocument
    group: str
    kind: str
    namespace: str
    name: str


class ServiceName(NamedTuple):
    namespace: str
    name: str


class Server(NamedTuple):
    """One server of an Istio Gateway or one listener of a Gateway: what it lets through. is_passed_on: TLS unopened."""

    name: str
    port: int
    protocol: str
    hosts: tuple[str, ...]
    namespaces: tuple[str, ...]
    is_passed_on: bool = False


class Surroundings:
    """Made before anything is converted. consents: of ReferenceGrants, (from kind, from namespace, namespace, name)."""

    def __init__(
        self, foreign: Iterable[Foreign], native: Iterable[WrittenDocument], namespace: str, options: Options
    ) -> None:
        self.options = options
        self.findings = Findings()
        self.documents = {(one.group, one.kind, one.namespace, one.name): one for one in foreign}
        self.hosts: dict[str, ServiceName] = {}
        self.ports: dict[ServiceName, dict[int, str]] = {}
        self.gateways: dict[tuple[str, str, str], list[Server]] = {}
        self.consents: set[tuple[str, str, str, str | None]] = set()
        self.delegated: set[tuple[str, str]] = set()
        for document in native:
            self._note_native(document, namespace)

    def root(self, one: Foreign) -> Block:
        return Block(one.document.raw, Origin(one.document, ""), self.findings)

    def of_kind(self, group: str, kind: str) -> list[Foreign]:
        return [one for one in self.documents.values() if one.group == group and one.kind == kind]

    def service_of(self, host: At, namespace: str) -> ServiceName | None:
        """The service a host means: `a`, `a.b`, `a.b.svc.cluster.local`, or one of a ServiceEntry of the import."""
        text = str(host.value).lower().rstrip(".")
        if known := self.hosts.get(text):
            return known
        for suffix in _CLUSTER_SUFFIXES:
            if text.endswith(suffix):
                text = text.removesuffix(suffix)
                break
        parts = text.split(".")
        if "*" in text or len(parts) > 2 or not all(parts):
            reason = f'"{host.value}" names no service: '
            reason += (
                "write one document for each service, or a TrafficPolicy with targets: [{namespace: …}]"
                if "*" in text
                else "put its ServiceEntry into the same import, or write a Service with this alias"
            )
            self.findings.refuse(host.origin, reason)
            return None
        return ServiceName(parts[1] if len(parts) == 2 else namespace, parts[0])

    def port_of(self, service: ServiceName, number: At) -> At | None:
        """The name of a port; None, with a warning where it matters, means the service's first."""
        names = self.ports.get(service)
        if names is not None and (name := names.get(number.value)):
            return At(name, number.origin)
        if names is None and number.value == 80:  # the one port of a service without a document
            return None
        known = f" (it has {', '.join(map(str, names))})" if names else ""
        self.findings.warn(
            number.origin,
            f"no port {number.value} of {service.namespace}/{service.name} is known in this import{known}: "
            "calls go to its first port. Put its Kubernetes Service or Meshway Service into the same import to name it",
        )
        return None

    def destination(self, service: ServiceName, namespace: str, origin: Origin) -> dict[str, Any]:
        """A native Destination's service and, where it is another's, namespace."""
        told: dict[str, Any] = {"service": At(service.name, origin)}
        if service.namespace != namespace:
            told["namespace"] = At(service.namespace, origin)
        return told

    def _note_native(self, document: WrittenDocument, namespace: str) -> None:
        raw = document.raw
        if not isinstance(raw, Mapping) or raw.get("kind") != "Service" or document_name(raw) is None:
            return
        service = ServiceName(raw["metadata"].get("namespace") or namespace, raw["metadata"]["name"])
        written = raw.get("spec")
        spec: Mapping[str, Any] = written if isinstance(written, Mapping) else {}
        ports, aliases = spec.get("ports"), spec.get("aliases")
        self.ports[service] = {
            port.get("port", 80): port.get("name", "http")
            for port in (ports if isinstance(ports, list) else [{}])
            if isinstance(port, Mapping)
        }
        for alias in aliases if isinstance(aliases, list) else []:
            self.hosts[str(alias)] = service

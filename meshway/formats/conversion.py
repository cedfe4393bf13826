"""Documents of any format to native ones: the one way in for the command and the registry (docs/guide/istio.md)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from meshway.formats.foreign import Found, Origin
from meshway.formats.gateway_api_bytes import convert_tcp_route, convert_tls_route, convert_udp_route
from meshway.formats.gateway_api_gateway import (
    convert_gateway,
    convert_reference_grant,
    grants_of,
    listeners_of,
)
from meshway.formats.gateway_api_route import convert_grpc_route, convert_http_route
from meshway.formats.istio_gateway import convert_gateway as convert_istio_gateway
from meshway.formats.istio_gateway import servers_of
from meshway.formats.istio_policy import convert_destination_rule
from meshway.formats.istio_route import convert_virtual_service, delegates
from meshway.formats.istio_service_entry import convert_service_entry, entry_ports, entry_services
from meshway.formats.kubernetes_service import convert_deployment, convert_service, service_ports
from meshway.formats.native import ConvertedDocument, Native
from meshway.formats.surroundings import (
    CORE,
    GATEWAY_API,
    ISTIO,
    Foreign,
    Options,
    ServiceName,
    Surroundings,
)
from meshway.formats.yaml_documents import WrittenDocument
from meshway.model.nearest import did_you_mean

Converter = Callable[[Foreign, Surroundings], Iterator[Native]]

VERSIONS: Final = {
    ISTIO: ("v1", "v1beta1", "v1alpha3"),
    GATEWAY_API: ("v1", "v1beta1", "v1alpha3", "v1alpha2"),
    CORE: ("v1",),
    "apps": ("v1",),
}
CONVERTERS: Final[Mapping[tuple[str, str], Converter]] = {
    (ISTIO, "VirtualService"): convert_virtual_service,
    (ISTIO, "DestinationRule"): convert_destination_rule,
    (ISTIO, "Gateway"): convert_istio_gateway,
    (ISTIO, "ServiceEntry"): convert_service_entry,
    (GATEWAY_API, "HTTPRoute"): convert_http_route,
    (GATEWAY_API, "GRPCRoute"): convert_grpc_route,
    (GATEWAY_API, "TCPRoute"): convert_tcp_route,
    (GATEWAY_API, "TLSRoute"): convert_tls_route,
    (GATEWAY_API, "UDPRoute"): convert_udp_route,
    (GATEWAY_API, "Gateway"): convert_gateway,
    (GATEWAY_API, "ReferenceGrant"): convert_reference_grant,
    (CORE, "Service"): convert_service,
    ("apps", "Deployment"): convert_deployment,
}
_LIST: Final = "List"


class Conversion(msgspec.Struct, frozen=True):
    """documents: native ones, as written or as converted. refused: left out of them."""

    documents: list[WrittenDocument]
    errors: list[Found]
    refused: list[Found]
    warnings: list[Found]


def is_foreign(document: WrittenDocument) -> bool:
    """Written for another mesh; whatever is not is judged as Meshway's own."""
    return _group_of(document.raw) is not None


def convert(written: Sequence[WrittenDocument], namespace: str, options: Options) -> Conversion:
    """namespace: where none is written."""
    natives: list[WrittenDocument] = []
    foreign: list[Foreign] = []
    unknown: list[Found] = []
    for document in _unpacked(written):
        group = _group_of(document.raw)
        if group is None:
            natives.append(document)
        elif found := _unreadable(document, group):
            unknown.append(found)
        else:
            metadata = document.raw["metadata"]
            where = metadata.get("namespace") or namespace
            foreign.append(Foreign(document, group, document.raw["kind"], where, metadata["name"]))
    around = _surroundings(foreign, natives, namespace, options)
    doubles = [found for found in unknown if found.code != "unsupported"]
    doubles += _doubles(foreign)
    made = [native for one in foreign for native in CONVERTERS[one.group, one.kind](one, around)]
    documents = _merged(made, natives, namespace)
    refused = [found for found in unknown if found.code == "unsupported"] + around.findings.refused
    return Conversion(
        documents=documents,
        errors=_told_once([*doubles, *around.findings.errors]),
        refused=_told_once(refused),
        warnings=_told_once(around.findings.warnings),
    )


def _group_of(raw: object) -> str | None:
    version = raw.get("apiVersion") if isinstance(raw, Mapping) else None
    if not isinstance(version, str):
        return None
    group, slash, _ = version.rpartition("/")
    if not slash:
        return CORE if version == "v1" else None
    return group if group == "apps" or group.endswith((".istio.io", ".k8s.io")) else None


def _unreadable(document: WrittenDocument, group: str) -> Found | None:
    raw = document.raw
    kind, version = raw.get("kind"), str(raw["apiVersion"]).rpartition("/")[2]
    known = [name for of, name in CONVERTERS if of == group]
    if kind not in known:
        reads = did_you_mean(str(kind), known) if known else ""
        reason = f"{raw['apiVersion']} {kind} has no counterpart here: take it out of the import{reads}"
        return Found(Origin(document, "kind"), "unsupported", reason)
    if version not in VERSIONS[group]:
        reason = f"{kind} is read in {', '.join(VERSIONS[group])}, not in {version}"
        return Found(Origin(document, "apiVersion"), "unsupported", reason)
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return Found(Origin(document, "metadata.name"), "missing_field", "is required")
    return None


def _surroundings(
    foreign: Iterable[Foreign], natives: Iterable[WrittenDocument], namespace: str, options: Options
) -> Surroundings:
    around = Surroundings(foreign, natives, namespace, options)
    around.delegated = delegates(around.of_kind(ISTIO, "VirtualService"))
    for one in around.documents.values():
        match one.group, one.kind:
            case "networking.istio.io", "Gateway":
                around.gateways[one.group, one.namespace, one.name] = servers_of(one)
            case "gateway.networking.k8s.io", "Gateway":
                around.gateways[one.group, one.namespace, one.name] = listeners_of(one)
            case "gateway.networking.k8s.io", "ReferenceGrant":
                around.consents.update(grants_of(one))
            case "networking.istio.io", "ServiceEntry":
                around.hosts.update(entry_services(one))
                around.ports.update(dict.fromkeys(entry_services(one).values(), entry_ports(one)))
            case "core", "Service":
                around.ports[ServiceName(one.namespace, one.name)] = service_ports(one)
    return around


def _merged(made: Iterable[Native], natives: Iterable[WrittenDocument], namespace: str) -> list[WrittenDocument]:
    """One document a name: what several foreign ones say of one Service, beside what a native one says of it."""
    by_key: dict[tuple[str, str, str], Native] = {}
    doubles: list[Native] = []
    for native in made:
        known = by_key.setdefault(native.key, native)
        if known is native:
            continue
        if known.parts is None or native.parts is None or known.spec.keys() & native.spec.keys():
            doubles.append(native)
            continue
        known.spec |= native.spec
        known.parts |= native.parts
        known.of += native.of
    converted = [native.written() for native in [*by_key.values(), *doubles]]
    in_part = {one.key: one for one in converted if one.parts is not None}
    written: list[WrittenDocument] = []
    for document in natives:
        key = document.key
        beside = None if key is None else in_part.get((key[0], key[1] or namespace, key[2]))
        if beside is None or beside.parts is None or not _is_free(document, beside.parts):
            written.append(document)
        else:
            converted.remove(beside)
            written.append(_joined(document, beside))
    return [*written, *converted]


def _is_free(document: WrittenDocument, parts: Iterable[str]) -> bool:
    spec = document.raw.get("spec")
    return isinstance(spec, Mapping) and not any(part in spec for part in parts)


def _joined(document: WrittenDocument, beside: ConvertedDocument) -> ConvertedDocument:
    """A native Service with the subsets and ports that foreign documents say of it."""
    raw = {**document.raw, "spec": {**document.raw["spec"], **beside.raw["spec"]}}
    origins = {path: Origin(document, path) for path in document.places}
    origins.setdefault("", Origin(document, ""))
    origins |= {path: origin for path, origin in beside.origins.items() if path.startswith("spec.")}
    return ConvertedDocument(raw, {}, document.file, origins=origins)


def _unpacked(written: Iterable[WrittenDocument]) -> Iterator[WrittenDocument]:
    """The documents of a Kubernetes List, as `kubectl get -o yaml` writes several, one by one."""
    for document in written:
        raw = document.raw
        if _group_of(raw) != CORE or raw.get("kind") != _LIST or not isinstance(raw.get("items"), list):
            yield document
            continue
        for at, item in enumerate(raw["items"]):
            head = f"items[{at}]"
            places = {
                path[len(head) :].lstrip("."): place
                for path, place in document.places.items()
                if path == head or path.startswith((f"{head}.", f"{head}["))
            }
            yield WrittenDocument(item, places, document.file)


def _doubles(foreign: Iterable[Foreign]) -> Iterator[Found]:
    first: dict[tuple[str, str, str, str], Foreign] = {}
    for one in foreign:
        key = (one.group, one.kind, one.namespace, one.name)
        known = first.setdefault(key, one)
        if known is not one:
            place = known.document.place("metadata.name")
            where = f"{known.document.file}:{place.line}" if known.document.file else f"line {place.line}"
            reason = f"{one.kind} {one.namespace}/{one.name} is written already at {where}"
            yield Found(Origin(one.document, "metadata.name"), "duplicate", reason)


def _told_once(found: Iterable[Found]) -> list[Found]:
    """In the order of the texts. A document that is read for two listeners is judged twice."""
    once = {(id(one.origin.document), one.origin.path, one.code, one.reason): one for one in found}
    return list(once.values())

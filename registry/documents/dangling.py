"""References that lead nowhere, and what is told of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from meshway.http_template import parse_http_template
from meshway.model.descriptor_set import DescriptorSet
from meshway.model.descriptor_set_rules import descriptor_files
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import (
    EDGE,
    LISTENERS,
    Listener,
    face_of,
    has_tls,
    spoken,
)
from meshway.model.nearest import did_you_mean
from meshway.model.route import Route
from meshway.model.secret import Secret
from meshway.model.service import Service, ServicePort
from registry.documents.references import BYTES, DATAGRAMS, EDGE_HTTP, PASSED_ON, RECEIVER
from registry.documents.referred import referred_secret, service_of, targets_of
from registry.view.rows import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.descriptor_files import Method
    from meshway.model.listener import Spoken
    from registry.revisions.draft import Draft


_MOST_HINTS: Final = 5
_SPEAKS: Final[dict[str, tuple[frozenset[Spoken], str]]] = {
    EDGE_HTTP: (frozenset({"http", "https"}), "does not speak HTTP, and Routes are for that"),
    BYTES: (frozenset({"tcp", "tls"}), "is not of protocol tcp, nor of tls in mode terminate, which TcpRoutes are for"),
    PASSED_ON: (frozenset({"passthrough"}), "is not of protocol tls in mode passthrough, which TlsRoutes are for"),
    DATAGRAMS: (frozenset({"udp"}), "is not of protocol udp, which UdpRoutes are for"),
}


class Hints:
    """What was probably meant by the first wrong names of a write. Each asks every service of a namespace for its
    likeness: some milliseconds of the loop where there are thousands."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._left = _MOST_HINTS

    def services(self, namespace: str) -> Sequence[str]:
        """To choose one from; none when there were hints enough."""
        if not self._left:
            return ()
        self._left -= 1
        return sorted({name for _, name in self._draft.view.service_keys(namespace)})


def dangling(reference: Reference, draft: Draft, hints: Hints) -> str | None:
    """Why a reference leads nowhere; None: it leads somewhere."""
    owner = f"{reference.namespace}/{reference.name}"
    if reference.to in ("route", "rule"):
        return _dangling_route(reference, draft, owner)
    if reference.to == "ip_list":
        return _dangling_list(reference, draft)
    if reference.to == "receiver":
        return _dangling_receiver(reference, draft)
    if reference.to == "descriptors":
        return _dangling_descriptors(reference, draft)
    if reference.to == "secret":
        return _dangling_secret(reference, draft)
    if reference.to == "listener":
        return _dangling_listener(reference, draft)
    service = service_of(draft, reference.namespace, reference.name)
    if reference.to == "service":
        if service is None and next(draft.instances_of(reference.namespace, reference.name), None) is None:
            meant = did_you_mean(reference.name, hints.services(reference.namespace))
            mend = "" if meant else ": register an instance first, or apply a Service with it"
            return f'"{reference.name}" is no service in namespace {reference.namespace}{meant}{mend}'
    elif reference.to == "subset":
        names = () if service is None else tuple(subset.name for subset in service.subsets)
        if reference.part not in names:
            return f'"{reference.part}" is not a subset of Service {owner} ({_it_has(names)})'
    elif reference.to == "port":
        names = _port_names(service, reference, draft)
        if reference.part not in names:
            it_has = f"{_it_has(names)}{_meant(reference.part, service)}"
            return f'"{reference.part}" is not a port of Service {owner} ({it_has})'
    return None


def fault_of(reference: Reference, draft: Draft) -> str:
    """The code of a reference that is dangling."""
    if reference.to == "descriptors" and " " in reference.part:
        return "conflict"
    if reference.to == "listener":
        is_there = reference.name in LISTENERS or draft.document(targets_of(reference)[0]) is not None
        return "wrong_type" if is_there else "unknown_reference"
    is_found = reference.to == "secret" and referred_secret(reference, draft.document) is not None
    return "wrong_type" if is_found else "unknown_reference"


def _dangling_route(reference: Reference, draft: Draft, owner: str) -> str | None:
    row = draft.document(("Route", reference.namespace, reference.name))
    if row is None:
        if reference.to == "rule":
            return None  # said once, of the route
        return f'"{reference.name}" is no Route in namespace {reference.namespace}'
    if reference.to == "rule":
        rules = cast("Route", row.spec).rules if row.spec is not None else ()
        names = tuple(rule.name for rule in rules if rule.name is not None)
        if reference.part not in names:
            return f'"{reference.part}" is not a rule of Route {owner} ({_it_has(names)})'
    return None


def _dangling_list(reference: Reference, draft: Draft) -> str | None:
    if any(draft.document(key) is not None for key in targets_of(reference)):
        return None
    return f'"{reference.name}" is no IpList in {_own_or_mesh(reference)}'


def _dangling_descriptors(reference: Reference, draft: Draft) -> str | None:
    (key,) = targets_of(reference)
    row = draft.document(key)
    if row is None:
        return f'"{reference.name}" is no DescriptorSet in namespace {reference.namespace}'
    if not reference.part or not isinstance(row.spec, DescriptorSet):
        return None
    services = descriptor_files(row.spec.data).services
    together = reference.part.split()
    if len(together) > 1:
        return _shared_path([method for name in together for method in services.get(name, ())])
    if reference.part in services:
        return None
    meant = did_you_mean(reference.part, sorted(services))
    return f'"{reference.part}" is no service of DescriptorSet "{reference.name}"{meant}'


def _shared_path(methods: Sequence[Method]) -> str | None:
    """Why no gateway can tell which of two methods a call of HTTP stands for."""
    known: dict[tuple[str, str], Method] = {}
    for method in methods:
        for rule in method.rules:
            call = rule.method, parse_http_template(rule.path).pattern
            other = known.setdefault(call, method)
            if other is not method:
                one, two = (f"{each.service}.{each.name}" for each in (other, method))
                return f"{' '.join(call)} stands for {one} and for {two}: take one of the services into another rule"
    return None


def _dangling_receiver(reference: Reference, draft: Draft) -> str | None:
    if any(draft.document(key) is not None for key in targets_of(reference)):
        return None
    return f'"{reference.name}" is no {RECEIVER} in {_own_or_mesh(reference)}'


def _dangling_secret(reference: Reference, draft: Draft) -> str | None:
    row = referred_secret(reference, draft.document)
    wanted = reference.part.split()
    if row is not None:
        spec = cast("Secret | None", row.spec)
        kind = "" if spec is None else spec.type
        if kind not in wanted:
            return f'Secret "{reference.name}" is {kind}, not {" or ".join(wanted)}'
        return None if spec is None or not reference.key else _missing_key(reference, spec)
    shared = draft.document(("Secret", MESH_NAMESPACE, reference.name))
    if shared is not None and MESH_NAMESPACE in reference.places:
        return (
            f'Secret "{reference.name}" of {MESH_NAMESPACE} is not shared with namespace {reference.namespace}: '
            f"its spec says so by share_with: [{reference.namespace}]"
        )
    looked = ", nor in ".join(reference.places)
    return f'"{reference.name}" is no Secret in namespace {looked}'


def _missing_key(reference: Reference, spec: Secret) -> str | None:
    if spec.type != "opaque":
        return f"key is for Secrets of type opaque, which hold several texts, and this one is {spec.type}"
    names = spec.versions[0].keys if spec.versions else ()
    if reference.key in names:
        return None
    return f'Secret "{reference.name}" has no text "{reference.key}"{did_you_mean(reference.key, names)}'


def _dangling_listener(reference: Reference, draft: Draft) -> str | None:
    row = draft.document(("Listener", MESH_NAMESPACE, reference.name))
    spec = cast("Listener | None", None if row is None else row.spec)
    if row is None and reference.name not in LISTENERS:
        return f'"{reference.name}" is no Listener'
    spec = Listener() if spec is None else spec
    if reference.part == EDGE_HTTP and face_of(reference.name, spec) != EDGE:
        return f'Listener "{reference.name}" is of the mesh'
    if reference.part in _SPEAKS:
        wanted, otherwise = _SPEAKS[reference.part]
        return None if spoken(reference.name, spec) in wanted else f'Listener "{reference.name}" {otherwise}'
    return None if has_tls(reference.name, spec) else f'Listener "{reference.name}" speaks no TLS'


def _own_or_mesh(reference: Reference) -> str:
    own = f"namespace {reference.namespace}"
    return own if reference.namespace == MESH_NAMESPACE else f"{own}, nor in {MESH_NAMESPACE}"


def _port_names(service: Service | None, reference: Reference, draft: Draft) -> tuple[str, ...]:
    ports = (ServicePort(),) if service is None else service.ports
    names = dict.fromkeys(port.name for port in ports)
    for row in draft.instances_of(reference.namespace, reference.name):
        names.update(dict.fromkeys(row.instance.ports))
    return tuple(names)


def _meant(number: str, service: Service | None) -> str:
    """The name of the port that was written by its number."""
    ports = (ServicePort(),) if service is None else service.ports
    return next((f"; {number} is port {port.name}" for port in ports if str(port.port) == number), "")


def _it_has(names: tuple[str, ...]) -> str:
    return f"it has {', '.join(names)}" if names else "it has none"

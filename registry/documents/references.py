"""What documents say of each other: collected once when a document is read, judged whenever something changes."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, cast

import msgspec

from meshway.model.access_log import AccessLog, LogSink
from meshway.model.access_policy import AccessPolicy
from meshway.model.alert import Alert
from meshway.model.authentication import Authentication, AuthenticationMethod
from meshway.model.certificate import Certificate
from meshway.model.connection_route import ConnectionRoute, TcpRoute, TlsRoute
from meshway.model.descriptor_set import DescriptorSet
from meshway.model.descriptor_set_rules import descriptor_files
from meshway.model.document import MESH_NAMESPACE, Target
from meshway.model.listener import (
    EDGE,
    FACES,
    LISTENERS,
    TLS_LISTENERS,
    TRUST_MESH,
    Listener,
    face_of,
    has_tls,
    spoken,
)
from meshway.model.mesh_settings import MeshSettings
from meshway.model.nearest import did_you_mean
from meshway.model.objective import Objective
from meshway.model.otlp import Otlp
from meshway.model.rate_limit import RateLimit
from meshway.model.receiver import Receiver
from meshway.model.rollout import Rollout, RolloutVersion
from meshway.model.route import Route, Rule
from meshway.model.secret import Secret, SecretRef, may_refer, secret_ref
from meshway.model.service import Service, ServicePort
from meshway.model.telemetry import Telemetry
from meshway.model.traffic_policy import TrafficPolicy, UpstreamTls
from meshway.model.udp_route import UdpRoute
from registry.documents.matching import is_in_subset
from registry.view.rows import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshway.model.document import Destination, Spec
    from meshway.model.listener import Spoken
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentKey, DocumentRow

_MOST_HINTS: Final = 5
RECEIVER: Final = "Receiver"
# What a Listener must speak for the Routes that name it, and what is told of others.
EDGE_HTTP, BYTES, PASSED_ON, DATAGRAMS = EDGE, "bytes", "passed on", "datagrams"
_SPEAKS: Final[dict[str, tuple[frozenset[Spoken], str]]] = {
    EDGE_HTTP: (frozenset({"http", "https"}), "does not speak HTTP, and Routes are for that"),
    BYTES: (frozenset({"tcp", "tls"}), "is not of protocol tcp, nor of tls in mode terminate, which TcpRoutes are for"),
    PASSED_ON: (frozenset({"passthrough"}), "is not of protocol tls in mode passthrough, which TlsRoutes are for"),
    DATAGRAMS: (frozenset({"udp"}), "is not of protocol udp, which UdpRoutes are for"),
}


_SPOKEN_FOR: Final[dict[type[Spec], str]] = {TcpRoute: BYTES, TlsRoute: PASSED_ON, UdpRoute: DATAGRAMS}


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


def references(spec: Spec, namespace: str) -> tuple[Reference, ...]:
    """Everything in a spec that must exist elsewhere. namespace: the document's."""
    match spec:
        case Route():
            sent = tuple(
                reference
                for at, rule in enumerate(spec.rules)
                for destination, path in _destinations(rule, f"spec.rules[{at}]")
                for reference in _of_destination(destination, namespace, path)
            )
            return (*_of_listeners(spec.listeners, EDGE), *sent, *_of_transcoding(spec, namespace))
        case ConnectionRoute() | UdpRoute():
            listeners = _of_listeners(spec.listeners, _SPOKEN_FOR[type(spec)])
            each = enumerate(spec.destinations)
            sent = tuple(one for at, to in each for one in _of_destination(to, namespace, f"spec.destinations[{at}]"))
            return (*listeners, *sent)
        case Authentication():
            return (*_of_targets(spec.targets, namespace), *_of_methods(spec, namespace))
        case TrafficPolicy() if spec.tls is not None:
            plain = msgspec.structs.replace(spec, tls=None)
            return (*references(plain, namespace), *_of_upstream_tls(spec.tls, namespace))
        case Alert():
            return tuple(_of_receivers(spec.receivers, namespace))
        case Objective():
            target = Target(service=spec.target.service, route=spec.target.route, rule=spec.target.rule)
            return (*_of_target(target, namespace, "spec.target"), *_of_receivers(spec.receivers, namespace))
        case MeshSettings():
            forward = None if spec.telemetry is None else spec.telemetry.forward_logs
            return tuple(_of_otlp(forward, namespace, "spec.telemetry.forward_logs"))
        case Telemetry():
            return (*_of_targets(spec.targets, namespace), *_of_otlp(spec.otlp, namespace, "spec.otlp"))
        case AccessLog():
            sinks = ((f"spec.sinks[{at}].otlp", one) for at, one in enumerate(spec.sinks))
            told = (_of_otlp(one.otlp, namespace, path) for path, one in sinks if isinstance(one, LogSink))
            return (*_of_targets(spec.targets, namespace), *chain.from_iterable(told))
        case TrafficPolicy() | RateLimit():
            return (*_of_targets(spec.targets, namespace), *_of_substitutes(spec, namespace))
        case Certificate():
            of = () if spec.secret is None else (spec.secret,)
            secrets = (_of_secret("spec.secret", namespace, secret_ref(one), "tls") for one in of)
            return (*_of_listeners(spec.listeners, "tls"), *secrets)
        case Listener() if (wanted := _trusted_secret(spec)) is not None:
            return (_of_secret("spec.tls.trust", namespace, wanted, "ca_bundle"),)
        case Receiver():
            return tuple(_of_receiver(spec, namespace))
        case Rollout():
            return (
                Reference("spec.route", "route", namespace, spec.route),
                Reference("spec.rule", "rule", namespace, spec.route, spec.rule),
                *_of_destination(spec.stable, namespace, "spec.stable"),
                *_of_destination(spec.canary, namespace, "spec.canary"),
            )
        case AccessPolicy():
            service = None if spec.external is None else spec.external.service
            asked = () if service is None else (service,)
            return (
                *_of_targets(spec.targets, namespace),
                *_of_lists(spec, namespace),
                *(found for one in asked for found in _of_destination(one, namespace, "spec.external.service")),
            )
    return ()


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
    service = _service(draft, reference.namespace, reference.name)
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
    if reference.to == "listener":
        is_there = reference.name in LISTENERS or draft.document(targets_of(reference)[0]) is not None
        return "wrong_type" if is_there else "unknown_reference"
    is_found = reference.to == "secret" and referred_secret(reference, draft.document) is not None
    return "wrong_type" if is_found else "unknown_reference"


def referred_secret(reference: Reference, find: Callable[[DocumentKey], DocumentRow | None]) -> DocumentRow | None:
    """The namespace's own, else the one of the mesh that is shared with it, or that of these that is asked for. find: a
    document by its key."""
    for place in reference.places:
        found = find(("Secret", place, reference.name))
        if found is not None and place == reference.namespace:
            return found
        spec = None if found is None else cast("Secret | None", found.spec)
        if spec is not None and may_refer(spec.share_with, reference.namespace):
            return found
    return None


def is_without_instances(reference: Reference, draft: Draft) -> bool:
    """A service or subset that nobody would answer for now; static endpoints count as instances."""
    service = _service(draft, reference.namespace, reference.name)
    if reference.to not in ("service", "subset") or (service is not None and service.type != "registered"):
        return False
    subset = None
    if reference.to == "subset":
        found = () if service is None else service.subsets
        subset = next((one.match for one in found if one.name == reference.part), None)
    return not any(
        row.instance.status == "passing" and (subset is None or is_in_subset(row.instance, subset))
        for row in draft.instances_of(reference.namespace, reference.name)
    )


def targets_of(reference: Reference) -> tuple[DocumentKey, ...]:
    """The document it refers to, which for a service may not be written; of a list all that may be meant."""
    if reference.to == "descriptors":
        return (("DescriptorSet", reference.namespace, reference.name),)
    if reference.to == "ip_list":
        return tuple(("IpList", namespace, reference.name) for namespace in (reference.namespace, MESH_NAMESPACE))
    if reference.to == "receiver":
        return tuple((RECEIVER, namespace, reference.name) for namespace in (reference.namespace, MESH_NAMESPACE))
    if reference.to == "secret":
        return tuple(("Secret", namespace, reference.name) for namespace in reference.places)
    if reference.to == "listener":
        return (("Listener", MESH_NAMESPACE, reference.name),)
    kind = "Route" if reference.to in ("route", "rule") else "Service"
    return ((kind, reference.namespace, reference.name),)


def _destinations(rule: Rule, path: str) -> Iterator[tuple[Destination, str]]:
    for at, destination in enumerate(rule.destinations):
        yield destination, f"{path}.destinations[{at}]"
    for at, copy in enumerate(rule.mirror):
        yield copy.destination, f"{path}.mirror[{at}].destination"


def _of_substitutes(spec: TrafficPolicy | RateLimit, namespace: str) -> Iterator[Reference]:
    """Who serves in place of the called service. A policy of the whole mesh means the called one's namespace, whichever
    that is, where it names none."""
    if not isinstance(spec, TrafficPolicy):
        return
    found = [(f"spec.failover[{at}]", other) for at, other in enumerate(spec.failover or ())]
    if spec.breaker is not None and spec.breaker.fallback is not None and spec.breaker.fallback.destination is not None:
        found.append(("spec.breaker.fallback.destination", spec.breaker.fallback.destination))
    for path, other in found:
        of = other.namespace or namespace
        if other.namespace is None and namespace == MESH_NAMESPACE:
            continue
        yield Reference(f"{path}.service", "service", of, other.service)
        if other.subset is not None:
            yield Reference(f"{path}.subset", "subset", of, other.service, other.subset)


def _of_destination(destination: Destination | RolloutVersion, namespace: str, path: str) -> Iterator[Reference]:
    of = destination.namespace or namespace
    yield Reference(f"{path}.service", "service", of, destination.service)
    if destination.subset is not None:
        yield Reference(f"{path}.subset", "subset", of, destination.service, destination.subset)
    if destination.port is not None:
        yield Reference(f"{path}.port", "port", of, destination.service, destination.port)


def _of_targets(targets: Sequence[Target], namespace: str) -> Iterator[Reference]:
    for at, target in enumerate(targets):
        yield from _of_target(target, namespace, f"spec.targets[{at}]")


def _of_lists(spec: AccessPolicy, namespace: str) -> Iterator[Reference]:
    for at, rule in enumerate(spec.rules):
        for place, caller in enumerate(rule.from_):
            for field in ("ip_list", "not_ip_list"):
                name = getattr(caller, field)
                if name is not None:
                    yield Reference(f"spec.rules[{at}].from[{place}].{field}", "ip_list", namespace, name)


def _of_listeners(names: Sequence[str], wanted: str) -> Iterator[Reference]:
    """Those of one's own: the others are there. wanted: what they must be."""
    usual = {EDGE_HTTP: FACES, "tls": TLS_LISTENERS}.get(wanted, ())
    for at, name in enumerate(names):
        if name not in usual:
            yield Reference(f"spec.listeners[{at}]", "listener", MESH_NAMESPACE, name, wanted)


def _of_receivers(names: Sequence[str], namespace: str) -> Iterator[Reference]:
    for at, name in enumerate(names):
        yield Reference(f"spec.receivers[{at}]", "receiver", namespace, name)


def _of_secret(path: str, namespace: str, wanted: SecretRef, types: str) -> Reference:
    places = tuple(dict.fromkeys(wanted.namespaces(namespace)))
    return Reference(path, "secret", namespace, wanted.secret, types, places, wanted.key or "")


def _trusted_secret(spec: Listener) -> SecretRef | None:
    trust = None if spec.tls is None or spec.tls.trust is None else secret_ref(spec.tls.trust)
    return None if trust is None or trust.secret == TRUST_MESH else trust


def _of_upstream_tls(tls: UpstreamTls, namespace: str) -> Iterator[Reference]:
    for field, kind in (("ca", "ca_bundle"), ("certificate", "tls")):
        written = getattr(tls, field)
        if written is not None:
            yield _of_secret(f"spec.tls.{field}", namespace, secret_ref(written), kind)


def _of_receiver(spec: Receiver, namespace: str) -> Iterator[Reference]:
    for field in ("apprise.url", "webhook.headers", "webhook.sign", "alertmanager.auth"):
        block, _, name = field.partition(".")
        target = getattr(spec, block)
        written = None if target is None else getattr(target, name)
        if written is not None:
            yield _of_secret(f"spec.{field}", namespace, secret_ref(written), "opaque")


def _of_otlp(otlp: Otlp | None, namespace: str, path: str) -> Iterator[Reference]:
    for field, kind in (("headers", "opaque"), ("ca", "ca_bundle")):
        written = None if otlp is None else getattr(otlp, field)
        if written is not None:
            yield _of_secret(f"{path}.{field}", namespace, secret_ref(written), kind)


def _of_methods(spec: Authentication, namespace: str) -> Iterator[Reference]:
    for at, method in enumerate(spec.methods):
        for field, wanted, types in _secrets_of(method):
            yield _of_secret(f"spec.methods[{at}].{field}", namespace, wanted, types)


def _secrets_of(method: AuthenticationMethod) -> Iterator[tuple[str, SecretRef, str]]:
    """Path, Secret and the types it may have."""
    jwks = None if method.jwt is None else method.jwt.jwks
    if jwks is not None and "secret" in jwks:
        yield "jwt.jwks.secret", SecretRef(secret=jwks["secret"], namespace=jwks.get("namespace")), "jwks"
    if method.api_key is not None and method.api_key.secret is not None:
        yield "api_key.secret", secret_ref(method.api_key.secret), "api_key_set"
    if method.mtls is not None and secret_ref(method.mtls.trust).secret != TRUST_MESH:
        yield "mtls.trust", secret_ref(method.mtls.trust), "ca_bundle"
    if method.hmac is not None:
        yield "hmac.keys", secret_ref(method.hmac.keys), "hmac_keys jwks"
    if method.oidc is not None:
        yield "oidc.client_secret", secret_ref(method.oidc.client_secret), "opaque"
    if method.introspection is not None:
        yield "introspection.client_secret", secret_ref(method.introspection.client_secret), "opaque"
    if method.basic is not None:
        yield "basic.secret", secret_ref(method.basic.secret), "basic_users"


def _of_target(target: Target, namespace: str, path: str) -> Iterator[Reference]:
    if target.service is not None:
        yield Reference(f"{path}.service", "service", namespace, target.service)
        if target.subset is not None:
            yield Reference(f"{path}.subset", "subset", namespace, target.service, target.subset)
        if target.port is not None:
            yield Reference(f"{path}.port", "port", namespace, target.service, target.port)
    if target.route is not None:
        yield Reference(f"{path}.route", "route", namespace, target.route)
        if target.rule is not None:
            yield Reference(f"{path}.rule", "rule", namespace, target.route, target.rule)


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
    if reference.part in services:
        return None
    meant = did_you_mean(reference.part, sorted(services))
    return f'"{reference.part}" is no service of DescriptorSet "{reference.name}"{meant}'


def _of_transcoding(spec: Route, namespace: str) -> Iterator[Reference]:
    for at, rule in enumerate(spec.rules):
        block = rule.transcode
        if block is None:
            continue
        path = f"spec.rules[{at}].transcode"
        yield Reference(f"{path}.descriptors", "descriptors", namespace, block.descriptors)
        for place, service in enumerate(block.services):
            yield Reference(f"{path}.services[{place}]", "descriptors", namespace, block.descriptors, service)


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


def _service(draft: Draft, namespace: str, name: str) -> Service | None:
    row = draft.document(("Service", namespace, name))
    return None if row is None else cast("Service | None", row.spec)


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

"""What documents say of each other: collected once when a document is read, judged whenever something changes."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.access_log import AccessLog, LogSink
from meshway.model.access_policy import AccessPolicy
from meshway.model.alert import Alert
from meshway.model.authentication import Authentication, AuthenticationMethod
from meshway.model.certificate import Certificate
from meshway.model.connection_route import ConnectionRoute, TcpRoute, TlsRoute
from meshway.model.document import MESH_NAMESPACE, Target
from meshway.model.listener import (
    EDGE,
    FACES,
    TLS_LISTENERS,
    TRUST_MESH,
    Listener,
)
from meshway.model.mesh_settings import MeshSettings
from meshway.model.objective import Objective
from meshway.model.otlp import Otlp
from meshway.model.rate_limit import RateLimit
from meshway.model.receiver import Receiver
from meshway.model.rollout import Rollout, RolloutVersion
from meshway.model.route import Route, Rule
from meshway.model.secret import SecretRef, secret_ref
from meshway.model.telemetry import Telemetry
from meshway.model.traffic_policy import TrafficPolicy, UpstreamTls
from meshway.model.udp_route import UdpRoute
from registry.view.rows import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshway.model.document import Destination, Spec

RECEIVER: Final = "Receiver"
# What a Listener must speak for the Routes that name it, and what is told of others.
EDGE_HTTP, BYTES, PASSED_ON, DATAGRAMS = EDGE, "bytes", "passed on", "datagrams"


_SPOKEN_FOR: Final[dict[type[Spec], str]] = {TcpRoute: BYTES, TlsRoute: PASSED_ON, UdpRoute: DATAGRAMS}


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


def _of_transcoding(spec: Route, namespace: str) -> Iterator[Reference]:
    for at, rule in enumerate(spec.rules):
        block = rule.transcode
        if block is None:
            continue
        path = f"spec.rules[{at}].transcode"
        yield Reference(f"{path}.descriptors", "descriptors", namespace, block.descriptors)
        for place, service in enumerate(block.services):
            yield Reference(f"{path}.services[{place}]", "descriptors", namespace, block.descriptors, service)
        if len(block.services) > 1:  # together: a path of HTTP stands for one method of them
            yield Reference(f"{path}.services", "descriptors", namespace, block.descriptors, " ".join(block.services))

"""Warnings: what a document may say and probably does not mean. They never block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

import msgspec

from meshway.addresses import is_loopback
from meshway.model import mesh_settings, trust_bundle
from meshway.model.access_policy import AccessPolicy
from meshway.model.alert import Alert
from meshway.model.certificate import Certificate
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import DATAGRAMS, ENCRYPTED, LISTENERS, TLS, Listener, address_of
from meshway.model.mesh_settings import MeshSettings
from meshway.model.names import METHODS, is_unseen
from meshway.model.namespace import Namespace
from meshway.model.nearest import nearest
from meshway.model.objective import Objective, factor_of
from meshway.model.rate_limit import RateLimit
from meshway.model.receiver import Receiver
from meshway.model.route import Route
from meshway.model.rule_kit import member_path
from meshway.model.traffic_policy import TrafficPolicy
from meshway.model.trust_bundle import TrustBundle
from registry.documents.claims import host_claim, route_hosts
from registry.documents.connection_cautions import of_bytes
from registry.documents.dangling import Hints
from registry.documents.host_order import MOST_ROUTES, HostOrder
from registry.documents.referred import is_without_instances
from registry.documents.shadows import shadowed_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Set

    from meshway.model.external_check import ExternalCheck
    from meshway.model.match import Match
    from meshway.model.traffic_policy import Timeouts
    from registry.documents.host_order import Asked
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentKey, DocumentRow


_TRUST: Final = (TrustBundle.__name__, MESH_NAMESPACE, trust_bundle.NAME)
_DEFAULT_RECEIVER: Final = ("Receiver", MESH_NAMESPACE, "default")
_FIRST_FREE_PORT: Final = 1024
_MOST_NAMED: Final = 10  # namespaces in one warning


class Caution(msgspec.Struct, frozen=True, kw_only=True):
    """document: `Route shop/cart`. code: no_instances, keeps_instances, shadowed_rule, never_matches, unknown_method,
    unknown_host, attempt_exceeds_deadline, unused_policy, weaker_than_mesh, fail_open,
    cache_narrower_than_check, expires_soon, chain_reordered, no_authority, plaintext, privileged_port,
    trusts_everyone, no_receiver, never_fires, low_traffic or needs_approval."""

    document: str
    path: str
    code: str
    message: str


def cautions(rows: Iterable[DocumentRow], draft: Draft) -> Iterator[Caution]:
    """What stands out in documents, judged after the write they came with."""
    rows = tuple(rows)
    lonely = _Lonely(draft)
    mesh_hosts = _MeshHosts(draft)
    yield from _between_routes(rows, draft)
    for row in rows:
        spec = row.spec
        yield from lonely.cautions(row)
        if isinstance(spec, Route):
            yield from _of_route(row, spec)
            yield from mesh_hosts.cautions(row, spec)
        elif isinstance(spec, RateLimit):
            yield from _of_methods(row, spec.match, "spec.match")
            yield from (_caution(row, *each) for each in of_bytes(row, spec, draft))
        elif isinstance(spec, AccessPolicy):
            if spec.external is not None:
                yield from _of_check(row, spec.external)
            yield from (_caution(row, *each) for each in of_bytes(row, spec, draft))
        elif isinstance(spec, TrafficPolicy):
            yield from _of_policy(row, spec, draft)
        elif isinstance(spec, Namespace | MeshSettings):
            yield from _of_strictness(row, spec, draft)
        elif isinstance(spec, Listener):
            yield from _of_listener(row, spec)
        elif isinstance(spec, Receiver):
            yield from _of_receiver(row, spec)
        elif isinstance(spec, Alert | Objective):
            yield from _of_alert(row, spec, draft)
        elif isinstance(spec, Certificate) and spec.mesh_ca is not None and draft.document(_TRUST) is None:
            message = "this mesh has no certificate authority yet that could issue it: meshway ca init"
            yield _caution(row, "spec.mesh_ca", "no_authority", message)


def bereft_services(deleted: Iterable[DocumentKey], draft: Draft) -> Iterator[Caution]:
    """Services that lost their document and go on by their instances."""
    for key in deleted:
        kind, namespace, name = key
        if kind != "Service" or draft.document(key) is not None:
            continue
        if count := sum(1 for _ in draft.instances_of(namespace, name)):
            message = f"keeps its {count} instance{'s' * (count != 1)}, and is called on with the defaults of a Service"
            yield Caution(document=f"Service {namespace}/{name}", path="", code="keeps_instances", message=message)


class _Lonely:
    """Services and subsets nobody would answer for, each told once, where it is first named; of a service without any
    instance its subsets are not told besides."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._found: dict[tuple[str, str, str | None], bool] = {}

    def cautions(self, row: DocumentRow) -> Iterator[Caution]:
        for reference in row.references:
            if reference.to not in ("service", "subset"):
                continue
            service = (reference.namespace, reference.name, None)
            place = (reference.namespace, reference.name, reference.part if reference.to == "subset" else None)
            if place in self._found or self._found.get(service):
                continue
            self._found[place] = is_without_instances(reference, self._draft)
            if self._found[place]:
                subset = f" subset {reference.part}" if place != service else ""
                message = f"service {reference.namespace}/{reference.name}{subset} has no passing instance"
                yield _caution(row, reference.path, "no_instances", message)


def _of_route(row: DocumentRow, spec: Route) -> Iterator[Caution]:
    for at, before in shadowed_rules(spec):
        message = f"has no call: spec.rules[{before}] is asked before and takes all that this rule would take"
        yield _caution(row, f"spec.rules[{at}]", "shadowed_rule", message)
    for at, rule in enumerate(spec.rules):
        yield from _of_timeouts(row, rule.timeouts, f"spec.rules[{at}].timeouts")
        yield from _of_methods(row, rule.match, f"spec.rules[{at}].match")
        for place, match in enumerate(rule.match):
            for name in match.headers:
                if is_unseen(name):
                    path = member_path(f"spec.rules[{at}].match[{place}].headers", name)
                    message = f"a match never sees {name}: it belongs to the gateway or to the connection"
                    yield _caution(row, path, "never_matches", message)


def _of_check(row: DocumentRow, external: ExternalCheck) -> Iterator[Caution]:
    yield from _of_methods(row, external.when, "spec.external.when")
    if external.on_failure == "allow":
        message = "lets calls pass while nobody can be asked: whoever can keep the answers away gets in"
        yield _caution(row, "spec.external.on_failure", "fail_open", message)
    if external.cache is not None and external.cache.key:
        message = "holds one answer for calls that differ in what is sent: name all that the answer depends on"
        yield _caution(row, "spec.external.cache.key", "cache_narrower_than_check", message)


def _of_methods(row: DocumentRow, matches: Iterable[Match], path: str) -> Iterator[Caution]:
    """Methods of one's own are allowed, and a typing error is one."""
    for place, match in enumerate(matches):
        for at, method in enumerate(match.methods):
            if method not in METHODS:
                meant = nearest(method, METHODS)
                message = f'"{method}" is no method that is known' + (f" (did you mean {meant}?)" if meant else "")
                yield _caution(row, f"{path}[{place}].methods[{at}]", "unknown_method", message)


def _of_timeouts(row: DocumentRow, timeouts: Timeouts | None, path: str) -> Iterator[Caution]:
    if timeouts is not None and timeouts.attempt and timeouts.deadline and timeouts.attempt > timeouts.deadline:
        message = f"an attempt never takes {timeouts.attempt}: the deadline ends the call after {timeouts.deadline}"
        yield _caution(row, f"{path}.attempt", "attempt_exceeds_deadline", message)


class _MeshHosts:
    """Hosts that nobody can call by: on the mesh a host is a service, or another name of one. Of many the first are
    told with what was probably meant."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._hints = Hints(draft)

    def cautions(self, row: DocumentRow, spec: Route) -> Iterator[Caution]:
        if "mesh" not in spec.listeners:
            return
        _, own, _ = row.key
        for at, host in enumerate(spec.hosts):
            if any("." in host or key[1] == own for key in self._draft.holders(("alias", host.rstrip(".")))):
                continue
            labels = host.rstrip(".").removesuffix(".mesh").split(".")
            service, namespace = (labels[0], own) if len(labels) == 1 else (labels[0], labels[1])
            if len(labels) <= 2 and self._is_known(namespace, service):
                continue
            meant = nearest(service, self._hints.services(namespace)) if len(labels) <= 2 else None
            hint = f" (did you mean {meant}?)" if meant else ""
            message = f'"{host}" names no service, so nobody calls by it on the mesh{hint}'
            yield _caution(row, f"spec.hosts[{at}]", "unknown_host", message)

    def _is_known(self, namespace: str, service: str) -> bool:
        if self._draft.document(("Service", namespace, service)) is not None:
            return True
        return next(self._draft.instances_of(namespace, service), None) is not None


class _Hosts:
    """The order of the Routes of each host, made when it is asked for; None where too many share a host."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._known: dict[tuple[str, str], HostOrder | None] = {}

    def rows(self, pair: tuple[str, str]) -> list[DocumentRow]:
        found = (self._draft.document(key) for key in self._draft.holders(host_claim(*pair)))
        return [row for row in found if row is not None]

    def order(self, pair: tuple[str, str]) -> HostOrder | None:
        if pair not in self._known:
            rows = self.rows(pair)
            self._known[pair] = HostOrder(rows) if len(rows) <= MOST_ROUTES else None
        return self._known[pair]


def _between_routes(rows: Iterable[DocumentRow], draft: Draft) -> Iterator[Caution]:
    """Rules that have no call for what another Route of their hosts says; one of the two was written."""
    written = {row.key: row for row in rows if isinstance(row.spec, Route)}
    hosts = _Hosts(draft)
    pairs = {pair for key, row in written.items() for pair in route_hosts(cast("Route", row.spec), key[1])}
    concerned = {row.key: row for pair in pairs if hosts.order(pair) is not None for row in hosts.rows(pair)}
    for key in sorted(concerned):
        yield from _taken_by_others(concerned[key], hosts, written.keys())


def _taken_by_others(row: DocumentRow, hosts: _Hosts, written: Set[DocumentKey]) -> Iterator[Caution]:
    """A rule is told when all its matches are taken on all its hosts, and not by its own Route alone."""
    spec = cast("Route", row.spec)
    alive = {at for at, _ in shadowed_rules(spec)}  # or told already
    takers: dict[int, list[tuple[str, Asked]]] = {}
    for pair in route_hosts(spec, row.key[1]):
        if (order := hosts.order(pair)) is None:
            return
        for asked in order.of(row.key):
            if asked.rule in alive:
                continue
            if (taker := order.taker(asked)) is None:
                alive.add(asked.rule)
            else:
                takers.setdefault(asked.rule, []).append((pair[1], taker))
        if len(alive) == len(spec.rules):
            return
    for at, found in sorted(takers.items()):
        others = [(host, taker) for host, taker in found if taker.of != row.key]
        if at not in alive and others and (row.key in written or any(taker.of in written for _, taker in others)):
            host, taker = others[0]
            name = f"Route {taker.of[1]}/{taker.of[2]}"
            message = (
                f"has no call: spec.rules[{taker.rule}] of {name} is asked before on host {host} and takes all of it"
            )
            yield _caution(row, f"spec.rules[{at}]", "shadowed_rule", message)


def _of_policy(row: DocumentRow, spec: TrafficPolicy, draft: Draft) -> Iterator[Caution]:
    if all(getattr(spec, name) is None for name in TrafficPolicy.__struct_fields__ if name != "targets"):
        yield _caution(row, "spec", "unused_policy", "it says nothing: no block is written")
    yield from _of_timeouts(row, spec.timeouts, "spec.timeouts")
    _, namespace, _ = row.key
    used: set[tuple[str, str]] | None = None
    for at, target in enumerate(spec.targets):
        if target.service is None or target.subset is None:
            continue
        if used is None:
            used = _routed_subsets(draft, namespace)
        if (target.service, target.subset) not in used:
            message = f"no Route sends calls to subset {target.subset} of {target.service}"
            yield _caution(row, f"spec.targets[{at}].subset", "unused_policy", message)


def _of_strictness(row: DocumentRow, spec: Namespace | MeshSettings, draft: Draft) -> Iterator[Caution]:
    """Namespaces that are weaker than the mesh, whichever of the two was written."""
    mesh = draft.document(("MeshSettings", MESH_NAMESPACE, mesh_settings.NAME))
    if mesh is None or not isinstance(mesh.spec, MeshSettings) or mesh.spec.mtls != "strict":
        return
    if isinstance(spec, Namespace):
        if spec.mtls == "permissive":
            message = "the mesh is strict, and this namespace's services are called without certificates, too"
            yield _caution(row, "spec.mtls", "weaker_than_mesh", message)
        return
    weaker = sorted(
        each.key[2]
        for each in draft.all_documents()
        if isinstance(each.spec, Namespace) and each.spec.mtls == "permissive"
    )
    if weaker:
        named = ", ".join(weaker[:_MOST_NAMED]) + (" and others" if len(weaker) > _MOST_NAMED else "")
        message = f"by their own word these namespaces stay permissive: {named}"
        yield _caution(row, "spec.mtls", "weaker_than_mesh", message)


def _of_listener(row: DocumentRow, spec: Listener) -> Iterator[Caution]:
    if row.key[2] not in LISTENERS:
        address = address_of(spec)
        if spec.protocol not in (ENCRYPTED, TLS) and not is_loopback(address):
            opened = "" if spec.protocol == DATAGRAMS else "; gateways open it only with --insecure"
            message = f"others reach {address} without TLS{opened}"
            yield _caution(row, "spec.protocol", "plaintext", message)
        if spec.port is not None and spec.port < _FIRST_FREE_PORT:
            message = f"port {spec.port} is for processes with a right of their own: a gateway without it is refused it"
            yield _caution(row, "spec.port", "privileged_port", message)
    for at, network in enumerate(spec.trusted_proxies or ()):
        if network.endswith("/0"):
            message = "whoever calls is believed where a call comes from"
            yield _caution(row, f"spec.trusted_proxies[{at}]", "trusts_everyone", message)


def _of_receiver(row: DocumentRow, spec: Receiver) -> Iterator[Caution]:
    for name, target in (("webhook", spec.webhook), ("alertmanager", spec.alertmanager)):
        url = urlsplit("" if target is None else target.url)
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            message = "alerts, and what the receiver knows us by, can be read on the way there"
            yield _caution(row, f"spec.{name}.url", "plaintext", message)


def _routed_subsets(draft: Draft, namespace: str) -> set[tuple[str, str]]:
    return {
        (reference.name, reference.part)
        for row in draft.all_documents()
        if isinstance(row.spec, Route)
        for reference in row.references
        if reference.to == "subset" and reference.namespace == namespace
    }


def _of_alert(row: DocumentRow, spec: Alert | Objective, draft: Draft) -> Iterator[Caution]:
    if not spec.receivers and draft.document(_DEFAULT_RECEIVER) is None:
        message = "nobody is told of it: name receivers, or write a Receiver mesh/default"
        yield _caution(row, "spec.receivers", "no_receiver", message)
    if not isinstance(spec, Objective):
        return
    most = 1.0 / (1.0 - spec.target_percent / 100.0)  # what it burns at when every call is bad
    for at, burn in enumerate(spec.burn):
        if burn.long <= spec.window and (factor := factor_of(burn, spec.window)) >= most:
            message = (
                f"never fires: it asks for {factor:.3g} times the pace, and when all calls are bad it is {most:.3g}"
            )
            yield _caution(row, f"spec.burn[{at}]", "never_fires", message)


def _caution(row: DocumentRow, path: str, code: str, message: str) -> Caution:
    return Caution(document=row.document.name, path=path, code=code, message=f"{path}: {message}")

"""From AccessPolicies to what a rule asks before a call goes on, and once more where the service is not settled before.

Two questions, each with an answer of its own: may the Route be used (policies that target it), and may the service be
called (those of the mesh, its namespace, itself and its subset). A Route's owner lets nobody into others' services.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from gateway.access import grpc_check, http_check
from gateway.access.checking import Asked, Policy
from gateway.access.external import Check
from gateway.access.gate import AccessStep, Gate, Rules, Verdict
from gateway.access.mesh_only import mesh_only
from gateway.access.readings import Readings
from gateway.compiler.access_callers import Callers
from gateway.compiler.access_rules import PolicyRules
from gateway.compiler.any_reading import fits_any
from gateway.compiler.cluster_key import ClusterKey, destination_key
from gateway.compiler.diff import DocumentKey, Entry, ServiceKey
from gateway.compiler.mesh_tls import MeshTls
from gateway.compiler.policies import (
    MESH,
    MESH_NAMESPACE,
    Attached,
    Place,
    places_of,
    service_places,
    wide_place,
)
from gateway.exchange import Reply
from gateway.plan import FilterStep, Parts
from gateway.upstream.cluster import Cluster
from meshway.model import mesh_settings
from meshway.model.access_policy import AccessPolicy
from meshway.model.ip_list import IpList
from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace

WOULD_DENY: Final = "meshway_access_would_deny_total"
KINDS: Final = ("AccessPolicy", "IpList", "MeshSettings", "Namespace")
_NOBODY: Final = "nobody else says anything"

Entries = Sequence[Entry[AccessPolicy]]


class Access:
    """All policies, lists and settings of one revision. Tables are made when a Route first asks for them."""

    def __init__(
        self,
        policies: Iterable[Entry[AccessPolicy]],
        lists: Iterable[Entry[IpList]],
        settings: Iterable[Entry[MeshSettings]],
        namespaces: Iterable[Entry[Namespace]],
        parts: Parts,
        outside: frozenset[ServiceKey] = frozenset(),
    ) -> None:
        """outside: services that lead out of the mesh. told: names, lower-case, of fields by which services are told
        what those who were asked have answered."""
        self._parts = parts
        self._outside = outside
        self._readings = Readings()
        policies = list(policies)
        self._attached = Attached(policies)
        self._rules = PolicyRules(Callers(lists, parts), self._readings, parts)
        self._mesh = next((entry.spec for entry in settings if entry.name == mesh_settings.NAME), MeshSettings())
        self._namespaces = {entry.name: entry.spec for entry in namespaces}
        self._mesh_tls = MeshTls(self._mesh, self._namespaces)
        self._checks: dict[DocumentKey, FilterStep] = {}
        self.asked = tuple(
            destination_key(entry.namespace, entry.spec.external.service)
            for entry in policies
            if entry.spec.external is not None and entry.spec.external.service is not None
        )
        self._gates: dict[tuple[tuple[DocumentKey, ...], str, str, str, bool], Gate | None] = {}
        self.told = frozenset(
            name.lower().encode()
            for entry in policies
            if entry.spec.external is not None
            for name in entry.spec.external.upstream_headers or ()
        )

    def route_gate(self, places: Iterable[Place], origin: str, *, are_requests: bool = True) -> Gate | None:
        """May the Route be used? None: nobody says anything of it. origin: the Route's namespace, "" = no Route.

        are_requests: else no rule that asks for parts of one lets anybody in."""
        return self._gate(self._attached.at(places), origin, "", are_requests=are_requests)

    def service_steps(
        self, namespace: str, service: str, subset: str, origin: str, *, are_requests: bool = True
    ) -> tuple[AccessStep, ...]:
        """May this service be called by a Route of the namespace `origin`? are_requests: as in `route_gate`."""
        entries = self._attached.at(service_places(namespace, service, subset))
        outside = service if (namespace, service) in self._outside else ""
        gate = self._gate(entries, origin, namespace, outside, are_requests=are_requests)
        asked = () if gate is None else (gate.step(),)
        strict = self._mesh_tls.said_by(namespace)
        return asked if strict is None else (mesh_only(strict), *asked)

    def mesh_tls_by(self, service: ServiceKey) -> str | None:
        """By whose word its instances are called by TLS of the mesh alone; None: by none. A host outside has no
        certificate of it."""
        return None if service in self._outside else self._mesh_tls.said_by(service[0])

    def checks(self, places: Iterable[Place], cluster_for: Callable[[ClusterKey], Cluster]) -> tuple[FilterStep, ...]:
        """Of the services that policies have asked, from the wider place on; the same step for all rules."""
        return tuple(
            self._check(entry, cluster_for) for entry in self._attached.at(places) if entry.spec.external is not None
        )

    def _check(self, entry: Entry[AccessPolicy], cluster_for: Callable[[ClusterKey], Cluster]) -> FilterStep:
        step = self._checks.get(entry.key)
        if step is None:
            spec = entry.spec.external
            assert spec is not None
            policy = Policy(f"AccessPolicy {entry.title}", entry.namespace, spec, self._parts)
            asks = fits_any(spec.when, "spec.external.when", self._parts, self._readings)
            check = Check(policy, _asked(policy, cluster_for), asks, entry.spec.mode == "enforce")
            step = self._checks[entry.key] = check.step()
        return step

    def overrules(self, places: Iterable[Place]) -> bool:
        """Whether somebody who is asked may put fields in place of the service's answer's."""
        external = (entry.spec.external for entry in self._attached.at(places))
        return any(one is not None and one.protocol == "grpc" for one in external)

    def _gate(self, entries: Entries, origin: str, owner: str, outside: str = "", *, are_requests: bool) -> Gate | None:
        """outside: the service's name, where it leads out of the mesh."""
        key = (tuple(entry.key for entry in entries), origin, owner, outside, are_requests)
        if key not in self._gates:
            self._gates[key] = self._compile(entries, origin, owner, outside, are_requests=are_requests)
        return self._gates[key]

    def _compile(self, entries: Entries, origin: str, owner: str, outside: str, *, are_requests: bool) -> Gate | None:
        own = owner if outside and not origin else ""
        last = self._leaving(own, outside) if own else self._crossing(origin, owner)
        enforced = [entry for entry in entries if entry.spec.mode == "enforce"]
        home = owner or origin

        def rules(of: Entries) -> Rules:
            return self._rules.compiled(of, origin, home, last, own, are_requests=are_requests)

        of_enforced = rules(enforced) if enforced or last.reply is not None else None
        if len(enforced) == len(entries):
            return None if of_enforced is None else Gate(of_enforced, None, _silent)
        return Gate(of_enforced, rules(entries), self._telling(entries))

    def _crossing(self, origin: str, owner: str) -> Verdict:
        """Where no document says otherwise: from one namespace into another as the mesh, or the called one, has it."""
        if not origin or not owner or origin == owner:
            return Verdict("built in", _NOBODY, passes=True)
        document, setting = f"Namespace {MESH_NAMESPACE}/{owner}", None
        if (namespace := self._namespaces.get(owner)) is not None:
            setting = namespace.cross_namespace
        if setting is None:
            document, setting = f"MeshSettings {MESH_NAMESPACE}/{mesh_settings.NAME}", self._mesh.cross_namespace
        if setting == "allow" or (setting is None and self._parts.crosses_namespaces):
            return Verdict(document, "calls may cross namespaces", passes=True)
        says = (
            f"Routes of namespace {origin} may not send to namespace {owner}, unless an AccessPolicy of {owner} allows "
            f"from: [{{namespace: {origin}}}]"
        )
        return Verdict(document, says, passes=False)

    def _leaving(self, owner: str, service: str) -> Verdict:
        """Where no document says otherwise: out of the mesh, by no Route. `_rules` lets the service's own namespace."""
        document = f"Service {owner}/{service}"
        if self._parts.crosses_namespaces:
            return Verdict(document, "calls may leave the mesh", passes=True)
        says = (
            f"it is for services of namespace {owner} that prove who they are, by a service token or a certificate, "
            f"and for whom an AccessPolicy of {owner} allows"
        )
        return Verdict(
            document,
            says,
            passes=False,
            reply=Reply(403, "egress_denied", "UAEX", f"{document}: {says}", policy=document),
        )

    def _telling(self, entries: Entries) -> Callable[[Verdict], None]:
        counters = self._parts.counters
        if counters is None:
            return _silent
        cells = {f"AccessPolicy {entry.title}": counters.counter(WOULD_DENY, policy=entry.title) for entry in entries}

        def tell(verdict: Verdict) -> None:
            cell = cells.get(verdict.document)
            if cell is not None:
                counters.add(cell)

        return tell


def _asked(policy: Policy, cluster_for: Callable[[ClusterKey], Cluster]) -> Asked:
    spec = policy.spec
    if spec.url is not None:
        return http_check.of_url(policy, spec.url)
    assert spec.service is not None
    cluster = cluster_for(destination_key(policy.namespace, spec.service))
    return grpc_check.GrpcAsked(policy, cluster) if spec.protocol == "grpc" else http_check.of_service(policy, cluster)


def _silent(_: Verdict) -> None:
    pass


def touched_by(news: Iterable[Entry[Any]], policies: Iterable[Entry[AccessPolicy]]) -> set[Place]:
    """Where calls fare otherwise for new, changed and gone documents. policies: old and new ones."""
    places: set[Place] = set()
    lists: set[str] = set()
    for entry in news:
        if entry.kind == "AccessPolicy":
            places |= {wide_place(place) for place in places_of(entry)}
        elif entry.kind == "IpList":
            lists.add(entry.name)
        elif entry.kind == "Namespace":
            places.add(("namespace", entry.name))
        else:
            places.add(MESH)
    for policy in policies if lists else ():
        if any(
            not lists.isdisjoint((caller.ip_list, caller.not_ip_list))
            for rule in policy.spec.rules
            for caller in rule.from_
        ):
            places |= {wide_place(place) for place in places_of(policy)}
    return places

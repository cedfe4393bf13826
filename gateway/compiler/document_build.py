"""A revision in which documents changed: from them to the next state, compiling what they touch."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from gateway.compiler import access, listeners, telling
from gateway.compiler.accept import Accepted
from gateway.compiler.authentication import Authentications
from gateway.compiler.blame import Blamed, blame
from gateway.compiler.cluster_key import ClusterKey, all_involved
from gateway.compiler.cluster_set import ClusterSet
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.connection_routes import CompiledConnections, connection_tables
from gateway.compiler.connects import compile_connects, connect_places
from gateway.compiler.diff import CompileError, Diff, DocumentKey, Entry, ServiceKey
from gateway.compiler.endpoint_set import EndpointSet, Instances
from gateway.compiler.filters import Limits
from gateway.compiler.hosts import all_kept, edge_table, gather, kept, mesh_table, named_tables, single_plan
from gateway.compiler.listeners import Served, compile_listeners
from gateway.compiler.mesh_names import read_aliases
from gateway.compiler.mesh_tls import KINDS as MESH_TLS_KINDS
from gateway.compiler.policies import MESH, Attached, Place, places_of, service_places, wide_place
from gateway.compiler.recompiled import compile_connection_routes, compile_routes, compile_udp_routes
from gateway.compiler.refusals import standing_refusals
from gateway.compiler.route_context import RouteContext, by_place
from gateway.compiler.routes import implicit_plan
from gateway.compiler.service_instances import FIRST_PORT, first_ports, spoken_ports
from gateway.compiler.state import State
from gateway.compiler.steps import Step, doubting
from gateway.compiler.telling import TellingPlans
from gateway.compiler.udp_routes import CompiledSessions, session_plans
from gateway.plan import STRICT, Parts
from gateway.routing.spelled_tables import SpelledTables
from gateway.routing.table import HostRoutes, Tables
from gateway.trust import NOBODY, Trust
from gateway.upstream.cluster import Cluster
from meshway.model import mesh_settings
from meshway.model.consumer import Consumer
from meshway.model.descriptor_set import DescriptorSet
from meshway.model.instance import Instance
from meshway.model.service import External
from meshway.model.trust_bundle import TrustBundle


class DocumentBuild:
    """One revision in which documents changed: whatever they touch is compiled again. steps: as in `Build`."""

    def __init__(
        self,
        base: State,
        diff: Diff,
        parts: Parts,
        clusters: ClusterSet,
        instances: Mapping[ServiceKey, Mapping[str, Instance]],
        kept: Instances,
        *,
        whole: bool,
        blamed: Mapping[DocumentKey, CompileError],
    ) -> None:
        self.steps: list[Step] = []
        self._base, self._diff, self._parts, self._whole = base, diff, parts, whole
        self._clusters, self._instances, self._kept = clusters, instances, kept
        self._accepted = accepted = Accepted(base, diff, parts, whole=whole, blamed=blamed)
        self._services = accepted.of_kind("Service")
        self._aliases = read_aliases(self._services)
        self._leads_out = _outside(accepted.documents)
        self._limits, self._authentications, self._access = base.limits, base.authentications, base.access
        self._are_settings_new = False

    def state(self, revision: int) -> State:
        base, accepted, parts = self._base, self._accepted, self._parts
        touched = self._take_policies()
        context = self._context()
        routes = compile_routes(base, accepted, context, touched, self._aliases)
        implicit = self._implicit(context, touched)
        connections = compile_connection_routes(base, accepted, context, touched)
        sessions = compile_udp_routes(base, accepted, context, touched)
        connects = compile_connects(
            self._services,
            self._aliases,
            context,
            base.connects,
            lambda service: bool(touched) and self._is_service_touched(service, touched),
        )
        compiled: Iterable[CompiledRoute | CompiledConnections | CompiledSessions] = chain(
            routes.values(), connections.values(), sessions.values()
        )
        led = (key for one in connects.values() for key in one.clusters)
        called = chain((key for route in compiled for key in route.clusters), self._access.asked, led)
        clusters = self._clusters.gather(implicit, self._services, called)
        anew = EndpointSet(base, accepted.documents, self._instances, self._kept, parts)
        endpoints = anew.gather(clusters, self._services_changed())
        trust = _trust(accepted, base.tables.trust)
        self._take_steps(clusters, anew, trust)
        edge = gather(((host, route) for route in routes.values() for host in route.attached.edge), base.edge)
        mesh = gather(((to, route) for route in routes.values() for to in route.attached.mesh), base.mesh)
        served = _served(accepted, base.served)
        named = named_tables(routes.values(), served, base.named)
        tables = Tables(
            revision,
            kept(base.tables.edge, edge_table(edge)),
            kept(base.tables.mesh, mesh_table(mesh, implicit, self._aliases)),
            {cluster.name: cluster for group in clusters.values() for cluster in group.values()},
            {place: endpoint for group in endpoints.values() for place, endpoint in group.items()},
            base.tables.watched,
            parts,
            trust,
            all_kept(base.tables.named, {name: edge_table(built) for name, built in named.items()}),
            sessions=session_plans(sessions, served.listeners, base.tables.sessions),
            connections=connection_tables(connections, base.connections, base.tables.connections),
            connects=connect_places(connects, base.connects, base.tables.connects),
        )
        return State(
            tables=_spelled(tables, routes.values()),
            documents=accepted.documents,
            waiting=accepted.waiting,
            unavailable=accepted.unavailable,
            refusals=standing_refusals(base, self._diff, anew, accepted.refusals, whole=self._whole),
            instances=self._instances,
            policies=self._clusters.policies,
            first_ports=self._clusters.first_ports,
            spoken_ports=self._clusters.spoken_ports,
            limits=self._limits,
            authentications=self._authentications,
            access=self._access,
            routes=routes,
            clusters=clusters,
            endpoints=endpoints,
            implicit=implicit,
            edge=edge,
            mesh=mesh,
            kept=self._kept,
            proven={},
            served=served,
            named=named,
            telling=_telling(accepted, base.telling, parts),
            connections=connections,
            sessions=sessions,
            connects=connects,
        )

    # What all routes are compiled against, made anew where its documents changed.

    def _take_policies(self) -> set[Place]:
        """Answers whose calls fare otherwise for it."""
        base, accepted, parts = self._base, self._accepted, self._parts
        policy_news, limit_news = accepted.dirty(("TrafficPolicy",)), accepted.dirty(("RateLimit",))
        authentication_news = accepted.dirty(("Authentication",))
        if policy_news:
            self._clusters.policies = Attached(accepted.of_kind("TrafficPolicy"))
        if limit_news:
            self._limits = Limits(accepted.of_kind("RateLimit"), base.limits, parts)
        if authentication_news:
            made = accepted.of_kind("Authentication")
            self._authentications = Authentications(made, base.authentications, parts)
        policies = policy_news + limit_news + authentication_news
        touched = {wide_place(place) for entry in policies for place in places_of(entry)}
        renamed, moved = self._take_ports(), self._moved()
        touched |= {("service", *service) for service in renamed | moved}
        touched |= self._take_access(is_outside_new=bool(moved))
        if self._authentications.all_owned != base.authentications.all_owned:
            touched.add(MESH)
        refusing, was_refusing = by_place(accepted.unavailable), by_place(base.unavailable)
        touched |= {wide_place(place) for place, _ in refusing.items() ^ was_refusing.items()}
        touched |= {("namespace", entry.namespace) for entry in accepted.dirty((DescriptorSet.__name__,))}
        strict_news = accepted.dirty(MESH_TLS_KINDS)
        self._are_settings_new = bool(policy_news or renamed or moved or strict_news)
        return touched

    def _moved(self) -> set[ServiceKey]:
        """Services that lead out of the mesh now, elsewhere, or no longer."""
        before, now = _outside(self._base.documents), self._leads_out
        return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}

    def _take_ports(self) -> set[ServiceKey]:
        """Answers the services whose first port has another name, so that other policies may hold for their calls, or
        that are spoken to otherwise."""
        before, now = self._base.first_ports, first_ports(self._services)
        spoken, speaks = self._base.spoken_ports, self._spoken_ports()
        self._clusters.first_ports, self._clusters.spoken_ports = now, speaks
        renamed = {key for key in before.keys() | now.keys() if before.get(key, FIRST_PORT) != now.get(key, FIRST_PORT)}
        return renamed | {key for key in spoken.keys() | speaks.keys() if spoken.get(key) != speaks.get(key)}

    def _spoken_ports(self) -> dict[ServiceKey, Mapping[str, str]]:
        """Of services that have some where something else than HTTP/1.1 is spoken."""
        base, documents = self._base, {entry.key[1:]: entry for entry in self._services}
        found: dict[ServiceKey, Mapping[str, str]] = {}
        for service in documents.keys() | self._instances.keys():
            entry, instances = documents.get(service), self._instances.get(service, {})
            known = base.spoken_ports.get(service, {})
            is_same = instances is base.instances.get(service) and entry is base.documents.get(("Service", *service))
            names = known if is_same else spoken_ports(None if entry is None else entry.spec, instances, known)
            if names:
                found[service] = names
        return found

    def _take_access(self, *, is_outside_new: bool) -> set[Place]:
        """Makes the policies anew where one of their documents changed. Answers whose calls that concerns."""
        accepted = self._accepted
        news = accepted.dirty(access.KINDS)
        if not news and not is_outside_new:
            return set()
        policies = accepted.of_kind("AccessPolicy")
        self._access = access.Access(
            policies,
            accepted.of_kind("IpList"),
            accepted.of_kind("MeshSettings"),
            accepted.of_kind("Namespace"),
            self._parts,
            frozenset(self._leads_out),
        )
        self._clusters.access = self._access
        return access.touched_by(news, policies)

    def _context(self) -> RouteContext:
        context = self._clusters.route_context(
            self._limits, self._authentications, self._aliases, self._accepted.unavailable
        )
        context.descriptors = {entry.key[1:]: entry for entry in self._accepted.of_kind(DescriptorSet.__name__)}
        return context

    def _implicit(self, context: RouteContext, touched: set[Place]) -> dict[ServiceKey, HostRoutes]:
        known = {(entry.namespace, entry.name): None for entry in self._services}
        known |= dict.fromkeys(self._instances) | dict.fromkeys(self._kept)
        found: dict[ServiceKey, HostRoutes] = {}
        for service in known:
            before = self._base.implicit.get(service)
            if before is None or (touched and self._is_service_touched(service, touched)):
                try:
                    before = single_plan(implicit_plan(ClusterKey(*service), context, self._leads_out.get(service)))
                except Blamed:
                    raise
                except Exception as error:
                    policies = self._clusters.policies.at(self._clusters.places_of(ClusterKey(*service)))
                    raise blame(self._base.documents, policies, error) from error
            found[service] = before
        return found

    def _is_service_touched(self, service: ServiceKey, touched: set[Place]) -> bool:
        involved = all_involved(ClusterKey(*service), self._clusters.others)
        return any(not touched.isdisjoint(service_places(*key.owner)) for key in involved)

    # What is called, and what must change on what runs.

    def _services_changed(self) -> set[tuple[str, ...]]:
        """Whose endpoints are made anew; where hosts outside may be is MeshSettings' word."""
        changed: set[tuple[str, ...]] = {entry.key[1:] for entry in self._accepted.dirty(("Service",))}
        return changed | set(self._leads_out) if self._accepted.dirty(("MeshSettings",)) else changed

    def _take_steps(
        self, clusters: Mapping[ServiceKey, Mapping[ClusterKey, Cluster]], anew: EndpointSet, trust: Trust
    ) -> None:
        steps = self._clusters.steps(clusters, are_settings_new=self._are_settings_new)
        self.steps = [*steps, *anew.steps, *self._consumer_steps(), _naming(self._parts, trust.trust_domain)]
        if trust.believes_less_than(self._base.tables.trust):
            self.steps.append(doubting([one for group in clusters.values() for one in group.values()], self._parts))

    def _consumer_steps(self) -> list[Step]:
        """Who asks for Consumers looks them up when a call comes, so no rule is compiled again for them."""
        if not self._accepted.dirty((Consumer.__name__,)):
            return []
        consumers = [(*entry.key[1:], entry.spec) for entry in self._accepted.of_kind(Consumer.__name__)]
        return [lambda: self._parts.consumers.replace(consumers)]


def _spelled(tables: Tables, routes: Iterable[CompiledRoute]) -> Tables:
    """Tables that read paths as each Route wants them read, where some want another way than the strict one."""
    spellings = {placed.candidate.plan.slashes for route in routes for placed in route.placed} - {STRICT}
    return SpelledTables(sorted(spellings, reverse=True), tables) if spellings else tables


def _naming(parts: Parts, trust_domain: str) -> Step:
    def name() -> None:
        parts.trust_domain = trust_domain

    return name


def _served(accepted: Accepted, before: Served) -> Served:
    if not accepted.dirty(listeners.KINDS):
        return before
    return compile_listeners(*(accepted.of_kind(kind) for kind in listeners.KINDS), before=before)


def _telling(accepted: Accepted, before: TellingPlans | None, parts: Parts) -> TellingPlans | None:
    if not accepted.dirty(telling.KINDS):
        return before
    logs, telemetries = accepted.of_kind("AccessLog"), accepted.of_kind("Telemetry")
    mesh = next(
        (one.spec.telemetry for one in accepted.of_kind("MeshSettings") if one.name == mesh_settings.NAME), None
    )
    if not logs and not telemetries and mesh is None:
        return None
    credentials = telling.credentials_of(accepted.of_kind("Authentication"))
    return TellingPlans(logs, telemetries, credentials, parts, mesh)


def _trust(accepted: Accepted, before: Trust) -> Trust:
    """Made anew with its document; whoever was believed by one that is gone is believed no more."""
    if not accepted.dirty((TrustBundle.__name__,)):
        return before
    bundles = [entry.spec for entry in accepted.of_kind(TrustBundle.__name__)]
    return Trust(bundles[0]) if bundles else NOBODY


def _outside(documents: Mapping[DocumentKey, Entry[Any]]) -> dict[ServiceKey, External]:
    """Services that lead out of the mesh."""
    return {
        (key[1], key[2]): entry.spec.external
        for key, entry in documents.items()
        if key[0] == "Service" and entry.spec.external is not None
    }

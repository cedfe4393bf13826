"""One revision's work: from the last state and a diff to the next state, doing only what the diff asks for.

Maps of the last state are copied before they are changed; what must change on running clusters becomes a step.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from gateway.compiler import access, connection_routes, listeners, telling
from gateway.compiler.accept import Accepted
from gateway.compiler.authentication import Authentications
from gateway.compiler.blame import Blamed, blame
from gateway.compiler.cluster_key import ClusterKey, all_involved
from gateway.compiler.cluster_set import ClusterSet
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.connection_routes import (
    CompiledConnections,
    compile_connections,
    compile_connects,
    connection_tables,
)
from gateway.compiler.diff import CompileError, Diff, DocumentKey, Entry, Refusal, ServiceKey
from gateway.compiler.endpoint_set import EndpointSet, Instances
from gateway.compiler.filters import Limits
from gateway.compiler.hosts import edge_table, gather, mesh_table, named_tables, single_plan
from gateway.compiler.listeners import Served, compile_listeners
from gateway.compiler.mesh_names import mesh_names, read_aliases
from gateway.compiler.mesh_tls import KINDS as MESH_TLS_KINDS
from gateway.compiler.policies import MESH, Attached, Place, places_of, service_places, wide_place
from gateway.compiler.route_context import RouteContext
from gateway.compiler.routes import attach, compile_route, implicit_plan
from gateway.compiler.service_instances import FIRST_PORT, first_ports, multiplexed_ports
from gateway.compiler.state import State
from gateway.compiler.steps import Step, doubting
from gateway.compiler.telling import TellingPlans
from gateway.compiler.udp_routes import KIND as UDP_ROUTE
from gateway.compiler.udp_routes import CompiledSessions, compile_sessions, session_plans
from gateway.plan import STRICT, Parts
from gateway.routing.spelled_tables import SpelledTables
from gateway.routing.table import HostRoutes, Hosts, Tables
from gateway.trust import NOBODY, Trust
from meshway.model import mesh_settings
from meshway.model.consumer import Consumer
from meshway.model.descriptor_set import DescriptorSet
from meshway.model.instance import Instance
from meshway.model.service import External
from meshway.model.trust_bundle import TrustBundle
from meshway.snapshot import INSTANCE


class Build:
    """steps: to be run on the loop with the commit, in order. blamed: documents to be refused, by earlier tries.

    kept: as in State, None: those of the base.
    """

    def __init__(
        self,
        base: State,
        diff: Diff,
        parts: Parts,
        *,
        whole: bool,
        blamed: Mapping[DocumentKey, CompileError],
        kept: Instances | None = None,
    ) -> None:
        self.steps: list[Step] = []
        self._blamed = blamed
        self._kept = base.kept if kept is None else kept
        self._base, self._diff, self._parts, self._whole = base, diff, parts, whole
        self._authentications = base.authentications
        self._access = base.access
        self._instances: dict[ServiceKey, Mapping[str, Instance]] = {}
        self._clusters = ClusterSet(base, parts)

    def state(self, revision: int) -> State:
        self._take_instances()
        if self._whole or self._diff.documents or any(refusal.kind != INSTANCE for refusal in self._diff.refusals):
            return self._with_documents(revision)
        fresh = [service for service in self._diff.instances if service not in self._base.implicit]
        if any(self._clusters.others(ClusterKey(*service)) for service in fresh):  # more than its own cluster
            return self._with_documents(revision)
        return self._with_instances(revision)

    # Instances alone: no route is compiled.

    def _take_instances(self) -> None:
        if not self._whole:
            self._instances |= self._base.instances
        for service, changes in self._diff.instances.items():
            merged = dict(self._instances.get(service, {}))
            for identity, instance in changes.items():
                if instance is None:
                    merged.pop(identity, None)
                else:
                    merged[identity] = instance
            self._instances[service] = merged

    def _with_instances(self, revision: int) -> State:
        base = self._base
        clusters, endpoints, implicit = base.clusters, dict(base.endpoints), base.implicit
        names, flat = base.tables.mesh.names, dict(base.tables.endpoints)
        fresh = [service for service in self._diff.instances if service not in implicit]
        if fresh:
            clusters, implicit, names = dict(clusters), dict(implicit), dict(names)
            context = self._context(base.limits, {}, base.unavailable)
            for service in fresh:
                key = ClusterKey(*service)
                clusters[service] = {**clusters.get(service, {}), key: self._clusters.cluster(key)}
                implicit[service] = single_plan(implicit_plan(key, context))
                if service not in base.mesh:
                    names |= dict.fromkeys(mesh_names(service), implicit[service])
        anew = EndpointSet(base, base.documents, self._instances, self._kept, self._parts)
        for service in self._diff.instances:
            before = endpoints.get(service, {})
            endpoints[service] = anew.update(service, clusters[service], before)
            for place in before:
                flat.pop(place, None)
            flat |= endpoints[service]
        self.steps = anew.steps
        mesh = Hosts(names, {}, None) if fresh else base.tables.mesh
        by_name = base.tables.clusters
        if fresh:
            by_name = {**by_name, **{cluster.name: cluster for cluster in self._clusters.made.values()}}
        tables = base.tables.like_this(revision, mesh, by_name, flat)
        return State(
            tables=tables,
            documents=base.documents,
            waiting=base.waiting,
            unavailable=base.unavailable,
            refusals=self._refusals(anew, {}),
            instances=self._instances,
            policies=base.policies,
            first_ports=base.first_ports,
            multiplexed_ports=base.multiplexed_ports,
            limits=base.limits,
            authentications=base.authentications,
            access=base.access,
            routes=base.routes,
            clusters=clusters,
            endpoints=endpoints,
            implicit=implicit,
            edge=base.edge,
            mesh=base.mesh,
            kept=self._kept,
            proven=base.proven,
            served=base.served,
            named=base.named,
            telling=base.telling,
            connections=base.connections,
            sessions=base.sessions,
        )

    # Documents: whatever they touch is compiled again.

    def _with_documents(self, revision: int) -> State:
        base, parts = self._base, self._parts
        accepted = Accepted(base, self._diff, parts, whole=self._whole, blamed=self._blamed)
        policy_news, limit_news = accepted.dirty(("TrafficPolicy",)), accepted.dirty(("RateLimit",))
        if policy_news:
            self._clusters.policies = Attached(accepted.of_kind("TrafficPolicy"))
        limits = base.limits
        if limit_news:
            limits = Limits(accepted.of_kind("RateLimit"), base.limits, parts)
        authentication_news = accepted.dirty(("Authentication",))
        if authentication_news:
            made = accepted.of_kind("Authentication")
            self._authentications = Authentications(made, base.authentications, parts)
        services = accepted.of_kind("Service")
        aliases = read_aliases(services)
        renamed = self._take_ports(services)
        policies = policy_news + limit_news + authentication_news
        touched = {wide_place(place) for entry in policies for place in places_of(entry)}
        led_out, leads_out = _outside(base.documents), _outside(accepted.documents)
        moved = {key for key in led_out.keys() | leads_out.keys() if led_out.get(key) != leads_out.get(key)}
        strict_news = accepted.dirty(MESH_TLS_KINDS)
        touched |= self._take_access(accepted, frozenset(leads_out), is_outside_new=bool(moved))
        touched |= {("service", *service) for service in moved}
        touched |= {("service", *service) for service in renamed}
        if self._authentications.all_owned != base.authentications.all_owned:
            touched.add(MESH)
        refusing, was_refusing = _by_place(accepted.unavailable), _by_place(base.unavailable)
        touched |= {wide_place(place) for place, _ in refusing.items() ^ was_refusing.items()}
        touched |= {("namespace", entry.namespace) for entry in accepted.dirty((DescriptorSet.__name__,))}
        context = self._context(limits, aliases, accepted.unavailable)
        context.descriptors = {entry.key[1:]: entry for entry in accepted.of_kind(DescriptorSet.__name__)}
        routes = self._compile_routes(accepted, context, touched, aliases)
        implicit = self._implicit(services, context, touched, leads_out)
        connections = self._compile_connections(accepted, context, touched)
        sessions = self._compile_sessions(accepted, context, touched)
        compiled: Iterable[CompiledRoute | CompiledConnections | CompiledSessions] = chain(
            routes.values(), connections.values(), sessions.values()
        )
        connects = compile_connects(services, aliases, context)
        led = (key for one in connects for key in one.clusters)
        called = chain((key for route in compiled for key in route.clusters), self._access.asked, led)
        clusters = self._clusters.gather(implicit, services, called)
        steps = self._clusters.steps(clusters, are_settings_new=bool(policy_news or renamed or moved or strict_news))
        anew = EndpointSet(base, accepted.documents, self._instances, self._kept, parts)
        endpoints = anew.gather(clusters, self._services_changed(accepted, leads_out))
        trust = _trust(accepted, base.tables.trust)
        self.steps = steps + anew.steps + self._consumer_steps(accepted)
        self.steps.append(_naming(parts, trust.trust_domain))
        if trust.believes_less_than(base.tables.trust):
            self.steps.append(doubting([one for group in clusters.values() for one in group.values()], parts))
        edge = gather(((host, route) for route in routes.values() for host in route.attached.edge), base.edge)
        mesh = gather(((to, route) for route in routes.values() for to in route.attached.mesh), base.mesh)
        served = _served(accepted, base.served)
        named = named_tables(routes.values(), served, base.named)
        tables = Tables(
            revision,
            edge_table(edge),
            mesh_table(mesh, implicit, aliases),
            {cluster.name: cluster for group in clusters.values() for cluster in group.values()},
            {place: endpoint for group in endpoints.values() for place, endpoint in group.items()},
            base.tables.watched,
            parts,
            trust,
            {name: edge_table(built) for name, built in named.items()},
            sessions=session_plans(sessions, served.listeners),
            connections=connection_tables(connections),
            connects={place: one.plan for one in connects for place in one.places},
        )
        spellings = {placed.candidate.plan.slashes for route in routes.values() for placed in route.placed} - {STRICT}
        if spellings:
            tables = SpelledTables(sorted(spellings, reverse=True), tables)
        return State(
            tables=tables,
            documents=accepted.documents,
            waiting=accepted.waiting,
            unavailable=accepted.unavailable,
            refusals=self._refusals(anew, accepted.refusals),
            instances=self._instances,
            policies=self._clusters.policies,
            first_ports=self._clusters.first_ports,
            multiplexed_ports=self._clusters.multiplexed_ports,
            limits=limits,
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
        )

    def _consumer_steps(self, accepted: Accepted) -> list[Step]:
        """Who asks for Consumers looks them up when a call comes, so no rule is compiled again for them."""
        if not accepted.dirty((Consumer.__name__,)):
            return []
        consumers = [(*entry.key[1:], entry.spec) for entry in accepted.of_kind(Consumer.__name__)]
        return [lambda: self._parts.consumers.replace(consumers)]

    def _context(
        self,
        limits: Limits,
        aliases: Mapping[str, ServiceKey],
        unavailable: Mapping[DocumentKey, tuple[Place, ...]],
    ) -> RouteContext:
        return RouteContext(
            self._clusters.policies,
            limits,
            self._authentications,
            self._access,
            aliases,
            self._clusters.cluster,
            self._clusters.others,
            self._clusters.places_of,
            self._clusters.protocol_of,
            _by_place(unavailable),
            self._parts,
            self._base.routes,
        )

    def _services_changed(self, accepted: Accepted, outside: Mapping[ServiceKey, External]) -> set[tuple[str, ...]]:
        """Whose endpoints are made anew; where hosts outside may be is MeshSettings' word."""
        changed: set[tuple[str, ...]] = {entry.key[1:] for entry in accepted.dirty(("Service",))}
        return changed | set(outside) if accepted.dirty(("MeshSettings",)) else changed

    def _take_ports(self, services: list[Entry[Any]]) -> set[ServiceKey]:
        """Answers the services whose first port has another name, so that other policies may hold for their calls, or
        that are spoken to otherwise."""
        before, now = self._base.first_ports, first_ports(services)
        spoken, speaks = self._base.multiplexed_ports, multiplexed_ports(services)
        self._clusters.first_ports, self._clusters.multiplexed_ports = now, speaks
        renamed = {key for key in before.keys() | now.keys() if before.get(key, FIRST_PORT) != now.get(key, FIRST_PORT)}
        return renamed | {key for key in spoken.keys() | speaks.keys() if spoken.get(key) != speaks.get(key)}

    def _take_access(self, accepted: Accepted, outside: frozenset[ServiceKey], *, is_outside_new: bool) -> set[Place]:
        """Makes the policies anew where one of their documents changed. Answers whose calls that concerns."""
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
            outside,
        )
        self._clusters.access = self._access
        return access.touched_by(news, policies)

    def _compile_routes(
        self, accepted: Accepted, context: RouteContext, touched: set[Place], aliases: Mapping[str, ServiceKey]
    ) -> dict[DocumentKey, CompiledRoute]:
        routes: dict[DocumentKey, CompiledRoute] = {}
        entries = {entry.key: entry for entry in accepted.of_kind("Route")} | accepted.routes
        services_changed = bool(accepted.dirty(("Service",)))
        for key in sorted(entries):
            entry, known = entries[key], self._base.routes.get(key)
            try:
                route = (
                    known if known is not None and known.entry is entry and not _is_touched(known, touched) else None
                )
                if route is not None and services_changed and attach(entry, aliases) != route.attached:
                    route = None
                routes[key] = route or compile_route(entry, context)
                accepted.hold(entry)
                continue
            except Blamed:
                raise
            except CompileError as error:
                accepted.refuse(entry, error)
            except Exception as error:
                accepted.refuse(entry, CompileError.of_defect(error))
            if known is not None:
                routes[key] = known
            elif (good := accepted.documents.get(key)) is not None and good is not entry:
                routes[key] = compile_route(good, context)  # what other workers run
        return routes

    def _compile_connections(
        self, accepted: Accepted, context: RouteContext, touched: set[Place]
    ) -> dict[DocumentKey, CompiledConnections]:
        compiled: dict[DocumentKey, CompiledConnections] = {}
        for entry in chain.from_iterable(accepted.of_kind(kind) for kind in connection_routes.KINDS):
            known = self._base.connections.get(entry.key)
            if known is not None and known.entry is entry and not _is_touched(known, touched):
                compiled[entry.key] = known
                continue
            try:
                compiled[entry.key] = compile_connections(entry, context, None if known is None else known.plan.counts)
            except Blamed:
                raise
            except Exception as error:
                accepted.refuse(entry, CompileError.of_defect(error))
                if known is not None:
                    compiled[entry.key] = known
        return compiled

    def _compile_sessions(
        self, accepted: Accepted, context: RouteContext, touched: set[Place]
    ) -> dict[DocumentKey, CompiledSessions]:
        compiled: dict[DocumentKey, CompiledSessions] = {}
        for entry in accepted.of_kind(UDP_ROUTE):
            known = self._base.sessions.get(entry.key)
            if known is not None and known.entry is entry and not _is_touched(known, touched):
                compiled[entry.key] = known
                continue
            try:
                compiled[entry.key] = compile_sessions(entry, context)
            except Blamed:
                raise
            except Exception as error:
                accepted.refuse(entry, CompileError.of_defect(error))
                if known is not None:
                    compiled[entry.key] = known
        return compiled

    def _implicit(
        self,
        services: list[Entry[Any]],
        context: RouteContext,
        touched: set[Place],
        outside: Mapping[ServiceKey, External],
    ) -> dict[ServiceKey, HostRoutes]:
        known = {(entry.namespace, entry.name): None for entry in services}
        known |= dict.fromkeys(self._instances) | dict.fromkeys(self._kept)
        found: dict[ServiceKey, HostRoutes] = {}
        for service in known:
            before = self._base.implicit.get(service)
            if before is None or (touched and self._is_service_touched(service, touched)):
                try:
                    before = single_plan(implicit_plan(ClusterKey(*service), context, outside.get(service)))
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

    def _refusals(self, anew: EndpointSet, fresh: Mapping[DocumentKey, Refusal]) -> dict[DocumentKey, Refusal]:
        """Old ones of what was not sent again, then this revision's. Waiting documents were tried again already."""
        diff = self._diff
        standing: dict[DocumentKey, Refusal] = {}
        if self._base.refusals and not self._whole:
            sent = {
                (INSTANCE, key[0], f"{key[1]}/{identity}") for key, ids in diff.instances.items() for identity in ids
            }
            sent |= diff.documents.keys()
            mended = {("Service", *service) for service in anew.updated}
            tried = self._base.waiting.keys() if diff.documents else frozenset()
            standing = {
                key: refusal
                for key, refusal in self._base.refusals.items()
                if key not in sent and key not in tried and (key not in mended or key in self._base.waiting)
            }
        return standing | anew.stuck | {refusal.key: refusal for refusal in diff.refusals} | dict(fresh)


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


def _by_place(unavailable: Mapping[DocumentKey, tuple[Place, ...]]) -> dict[Place, DocumentKey]:
    return {place: key for key, places in unavailable.items() for place in places}


def _is_touched(route: CompiledRoute | CompiledConnections | CompiledSessions, touched: set[Place]) -> bool:
    """Whether a policy or a limit at one of these places may concern the route."""
    if not touched:
        return False
    _, namespace, name = route.entry.key
    if not touched.isdisjoint((MESH, ("namespace", namespace), ("route", namespace, name))):
        return True
    return any(not touched.isdisjoint(service_places(*key.owner)) for key in route.clusters + route.involved)

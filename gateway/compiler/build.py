"""One revision's work: from the last state and a diff to the next state, doing only what the diff asks for.

Maps of the last state are copied before they are changed; what must change on running clusters becomes a step.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.compiler import access
from gateway.compiler.accept import Accepted
from gateway.compiler.authentication import Authentications
from gateway.compiler.clusters import (
    ClusterKey,
    EndpointKey,
    ServiceUpdate,
    Step,
    balancer_for,
    emptying,
    failing_over,
    failover_keys,
    fallback_key,
    falling_back,
    instances_of,
    other_keys,
    reconfiguring,
    retiring,
)
from gateway.compiler.diff import CompileError, Diff, DocumentKey, Entry, Refusal, ServiceKey
from gateway.compiler.filters import Limits
from gateway.compiler.hosts import edge_table, gather, mesh_table, single_plan
from gateway.compiler.mesh_names import mesh_names, read_aliases
from gateway.compiler.policies import (
    MESH,
    Attached,
    Place,
    effective,
    places_of,
    service_places,
    sources,
    wide_place,
)
from gateway.compiler.routes import CompiledRoute, RouteContext, attach, compile_route, implicit_plan
from gateway.compiler.settings import cluster_settings
from gateway.compiler.state import State
from gateway.plan import Parts
from gateway.routing.table import HostRoutes, Hosts, Tables
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import ClusterSettings
from gateway.upstream.endpoint import Endpoint
from meshway.model.instance import Instance
from meshway.model.service import Service
from meshway.snapshot import INSTANCE

Kept = Mapping[ServiceKey, Mapping[str, Instance]]
_log: Final = logging.getLogger("meshway.gateway.compiler")


class Blamed(Exception):
    """A document broke down where others of its revision need it: try again without it. Raised by `Build.state`."""

    def __init__(self, key: DocumentKey, error: CompileError) -> None:
        super().__init__(f"{key}: {error.reason}")
        self.key = key
        self.error = error


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
        kept: Kept | None = None,
    ) -> None:
        self.steps: list[Step] = []
        self._blamed = blamed
        self._kept = base.kept if kept is None else kept
        self._updated: set[ServiceKey] = set()
        self._stuck: dict[DocumentKey, Refusal] = {}
        self._base, self._diff, self._parts, self._whole = base, diff, parts, whole
        self._documents = base.documents
        self._policies = base.policies
        self._authentications = base.authentications
        self._access = base.access
        self._instances: dict[ServiceKey, Mapping[str, Instance]] = {}
        self._made: dict[ClusterKey, Cluster] = {}
        self._settings: dict[tuple[DocumentKey, ...], ClusterSettings] = {}

    def state(self, revision: int) -> State:
        self._take_instances()
        if self._whole or self._diff.documents or any(refusal.kind != INSTANCE for refusal in self._diff.refusals):
            return self._with_documents(revision)
        fresh = [service for service in self._diff.instances if service not in self._base.implicit]
        keys = [ClusterKey(*service) for service in fresh]
        if any(other_keys(key, self._settings_of(key)) for key in keys):  # more than its own cluster
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
                clusters[service] = {**clusters.get(service, {}), key: self._cluster(key)}
                implicit[service] = single_plan(implicit_plan(key, context))
                if service not in base.mesh:
                    names |= dict.fromkeys(mesh_names(service), implicit[service])
        for service in self._diff.instances:
            before = endpoints.get(service, {})
            endpoints[service] = self._update(service, clusters[service], before)
            for place in before:
                flat.pop(place, None)
            flat |= endpoints[service]
        mesh = Hosts(names, {}, None) if fresh else base.tables.mesh
        by_name = base.tables.clusters
        if fresh:
            by_name = {**by_name, **{cluster.name: cluster for cluster in self._made.values()}}
        tables = Tables(revision, base.tables.edge, mesh, by_name, flat, base.tables.watched, self._parts)
        return State(
            tables=tables,
            documents=base.documents,
            waiting=base.waiting,
            unavailable=base.unavailable,
            refusals=self._refusals({}),
            instances=self._instances,
            policies=base.policies,
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
        )

    # Documents: whatever they touch is compiled again.

    def _with_documents(self, revision: int) -> State:
        base, parts = self._base, self._parts
        accepted = Accepted(base, self._diff, parts, whole=self._whole, blamed=self._blamed)
        self._documents = accepted.documents
        policy_news, limit_news = accepted.dirty(("TrafficPolicy",)), accepted.dirty(("RateLimit",))
        if policy_news:
            self._policies = Attached(accepted.of_kind("TrafficPolicy"))
        limits = base.limits
        if limit_news:
            limits = Limits(accepted.of_kind("RateLimit"), base.limits, parts)
        authentication_news = accepted.dirty(("Authentication",))
        if authentication_news:
            made = accepted.of_kind("Authentication")
            self._authentications = Authentications(made, base.authentications, parts)
        services = accepted.of_kind("Service")
        aliases = read_aliases(services)
        policies = policy_news + limit_news + authentication_news
        touched = {wide_place(place) for entry in policies for place in places_of(entry)}
        touched |= self._take_access(accepted)
        refusing, was_refusing = _by_place(accepted.unavailable), _by_place(base.unavailable)
        touched |= {wide_place(place) for place, _ in refusing.items() ^ was_refusing.items()}
        context = self._context(limits, aliases, accepted.unavailable)
        routes = self._compile_routes(accepted, context, touched, aliases)
        implicit = self._implicit(services, context, touched)
        clusters = self._clusters(services, implicit, routes)
        if policy_news:
            self._reconfigure(clusters)
        self._wire(clusters)
        endpoints = self._endpoints(clusters, {entry.key[1:] for entry in accepted.dirty(("Service",))})
        edge = gather(((host, route) for route in routes.values() for host in route.attached.edge), base.edge)
        mesh = gather(((to, route) for route in routes.values() for to in route.attached.mesh), base.mesh)
        tables = Tables(
            revision,
            edge_table(edge),
            mesh_table(mesh, implicit, aliases),
            {cluster.name: cluster for group in clusters.values() for cluster in group.values()},
            {place: endpoint for group in endpoints.values() for place, endpoint in group.items()},
            base.tables.watched,
            parts,
        )
        return State(
            tables=tables,
            documents=accepted.documents,
            waiting=accepted.waiting,
            unavailable=accepted.unavailable,
            refusals=self._refusals(accepted.refusals),
            instances=self._instances,
            policies=self._policies,
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
        )

    def _context(
        self,
        limits: Limits,
        aliases: Mapping[str, ServiceKey],
        unavailable: Mapping[DocumentKey, tuple[Place, ...]],
    ) -> RouteContext:
        return RouteContext(
            self._policies,
            limits,
            self._authentications,
            self._access,
            aliases,
            self._cluster,
            self._standing_in,
            _by_place(unavailable),
            self._parts,
        )

    def _take_access(self, accepted: Accepted) -> set[Place]:
        """Makes the policies anew where one of their documents changed. Answers whose calls that concerns."""
        news = accepted.dirty(access.KINDS)
        if not news:
            return set()
        policies = accepted.of_kind("AccessPolicy")
        self._access = access.Access(
            policies,
            accepted.of_kind("IpList"),
            accepted.of_kind("MeshSettings"),
            accepted.of_kind("Namespace"),
            self._parts,
        )
        return access.touched_by(news, policies)

    def _standing_in(self, key: ClusterKey) -> tuple[ClusterKey, ...]:
        return other_keys(key, self._settings_of(key))

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

    def _implicit(
        self, services: list[Entry[Any]], context: RouteContext, touched: set[Place]
    ) -> dict[ServiceKey, HostRoutes]:
        known = {(entry.namespace, entry.name): None for entry in services}
        known |= dict.fromkeys(self._instances) | dict.fromkeys(self._kept)
        found: dict[ServiceKey, HostRoutes] = {}
        for service in known:
            before = self._base.implicit.get(service)
            if before is None or (touched and self._is_service_touched(service, touched)):
                try:
                    before = single_plan(implicit_plan(ClusterKey(*service), context))
                except Blamed:
                    raise
                except Exception as error:
                    raise self._blame(self._policies.at(service_places(*service)), error) from error
            found[service] = before
        return found

    def _is_service_touched(self, service: ServiceKey, touched: set[Place]) -> bool:
        involved = access.all_involved(ClusterKey(*service), self._standing_in)
        return any(not touched.isdisjoint(service_places(*key.owner)) for key in involved)

    def _clusters(
        self,
        services: list[Entry[Any]],
        implicit: Mapping[ServiceKey, HostRoutes],
        routes: Mapping[DocumentKey, CompiledRoute],
    ) -> dict[ServiceKey, dict[ClusterKey, Cluster]]:
        """Those that a service, one of its subsets or a route asks for; the others go."""
        wanted = {ClusterKey(*service): None for service in implicit}
        for entry in services:
            for subset in entry.spec.subsets:
                wanted[ClusterKey(entry.namespace, entry.name, subset.name)] = None
        for route in routes.values():
            wanted |= dict.fromkeys(route.clusters)
        added = list(wanted)
        while added:
            found = (other_keys(key, self._settings_of(key)) for key in added)
            added = [other for keys in found for other in keys if other not in wanted]
            wanted |= dict.fromkeys(added)
        clusters: dict[ServiceKey, dict[ClusterKey, Cluster]] = {}
        for key in wanted:
            clusters.setdefault(key.owner, {})[key] = self._cluster(key)
        for group in self._base.clusters.values():
            self.steps += [emptying(cluster) for key, cluster in group.items() if key not in wanted]
        return clusters

    def _cluster(self, key: ClusterKey) -> Cluster:
        cluster = self._base.clusters.get(key.owner, {}).get(key) or self._made.get(key)
        if cluster is None:
            settings = self._settings_of(key)
            balancer = balancer_for(settings.balancing, self._parts)
            cluster = self._made[key] = Cluster(key.name, settings, balancer, self._parts, self._base.tables.watched)
        return cluster

    def _settings_of(self, key: ClusterKey) -> ClusterSettings:
        entries = self._policies.at(service_places(*key[:3]))
        names = tuple(entry.key for entry in entries)
        settings = self._settings.get(names)
        if settings is None:
            try:
                by = sources((f"TrafficPolicy {entry.title}", entry.spec) for entry in entries)
                settings = cluster_settings(effective(entry.spec for entry in entries), by)
            except Exception as error:
                raise self._blame(entries, error) from error
            self._settings[names] = settings
        return settings

    def _blame(self, entries: Sequence[Entry[Any]], error: Exception) -> Exception:
        """Of documents that break down together, the last one that is new in this revision. Nobody: the error."""
        fresh = [entry for entry in entries if self._base.documents.get(entry.key) is not entry]
        return Blamed(fresh[-1].key, CompileError.of_defect(error)) if fresh else error

    def _reconfigure(self, clusters: Mapping[ServiceKey, Mapping[ClusterKey, Cluster]]) -> None:
        for group in clusters.values():
            for key, cluster in group.items():
                settings = self._settings_of(key)
                if settings != cluster.settings:
                    self.steps.append(reconfiguring(cluster, settings, self._parts))

    def _wire(self, clusters: Mapping[ServiceKey, Mapping[ClusterKey, Cluster]]) -> None:
        every = {key: cluster for group in clusters.values() for key, cluster in group.items()}
        failover = {key: failover_keys(key, self._settings_of(key)) for key in every}
        followers: dict[ClusterKey, list[Cluster]] = {}
        for key, others in failover.items():
            for other in others:
                followers.setdefault(other, []).append(every[key])
        for key, cluster in every.items():
            wiring = (tuple(every[other] for other in failover[key]), tuple(followers.get(key, ())))
            if wiring != (cluster.failover, cluster.followers):
                self.steps.append(failing_over(cluster, *wiring))
            fallback = fallback_key(key, self._settings_of(key))
            serving = None if fallback is None else every[fallback]
            if serving is not cluster.fallback:
                self.steps.append(falling_back(cluster, serving))

    def _endpoints(
        self, clusters: Mapping[ServiceKey, Mapping[ClusterKey, Cluster]], changed: set[tuple[str, ...]]
    ) -> dict[ServiceKey, Mapping[EndpointKey, Endpoint]]:
        base = self._base
        endpoints: dict[ServiceKey, Mapping[EndpointKey, Endpoint]] = {}
        for service, group in clusters.items():
            before = base.endpoints.get(service)
            is_same = (
                before is not None
                and service not in changed
                and base.clusters.get(service, {}).keys() == group.keys()
                and base.instances.get(service) == self._instances.get(service)
            )
            if before is not None and is_same:
                endpoints[service] = before
            else:
                endpoints[service] = self._update(service, group, before or {})
        for service, gone in base.endpoints.items():
            if service not in clusters:
                self.steps += [retiring(endpoint, self._parts) for endpoint in gone.values()]
        return endpoints

    def _update(
        self,
        service: ServiceKey,
        clusters: Mapping[ClusterKey, Cluster],
        before: Mapping[EndpointKey, Endpoint],
    ) -> dict[EndpointKey, Endpoint]:
        key = ("Service", *service)
        entry = self._documents.get(key)
        try:
            update = self._service_update(service, entry, clusters, before)
        except Exception as error:
            return self._keep_endpoints(service, entry, clusters, before, error)
        self._updated.add(service)
        self.steps += update.steps
        return update.endpoints

    def _service_update(
        self,
        service: ServiceKey,
        entry: Entry[Service] | None,
        clusters: Mapping[ClusterKey, Cluster],
        before: Mapping[EndpointKey, Endpoint],
    ) -> ServiceUpdate:
        document = entry.spec if entry is not None else None
        instances = instances_of(*service, document)
        if instances is None:
            instances = dict(self._instances.get(service, {}))
        return ServiceUpdate(clusters, instances, document, before, self._kept.get(service, {}), self._parts)

    def _keep_endpoints(
        self,
        service: ServiceKey,
        entry: Entry[Service] | None,
        clusters: Mapping[ClusterKey, Cluster],
        before: Mapping[EndpointKey, Endpoint],
        error: Exception,
    ) -> dict[EndpointKey, Endpoint]:
        """A defect: a new Service document is to blame when the one before does not break down; else nobody is, and
        the service's endpoints stay what they were until its next change."""
        key = ("Service", *service)
        known = self._base.documents.get(key)
        if entry is not None and entry is not known:
            try:
                self._service_update(service, known, clusters, before)
            except Exception as same:
                error = same
            else:
                raise Blamed(key, CompileError.of_defect(error))
        self._stuck[key] = refusal = Refusal(*key, "", CompileError.of_defect(error).reason)
        if self._base.refusals.get(key) != refusal:
            _log.error("endpoints of %s/%s stay as they were", *service, exc_info=error)
        return dict(before)

    def _refusals(self, fresh: Mapping[DocumentKey, Refusal]) -> dict[DocumentKey, Refusal]:
        """Old ones of what was not sent again, then this revision's. Waiting documents were tried again already."""
        diff = self._diff
        standing: dict[DocumentKey, Refusal] = {}
        if self._base.refusals and not self._whole:
            sent = {
                (INSTANCE, key[0], f"{key[1]}/{identity}") for key, ids in diff.instances.items() for identity in ids
            }
            sent |= diff.documents.keys()
            mended = {("Service", *service) for service in self._updated}
            tried = self._base.waiting.keys() if diff.documents else frozenset()
            standing = {
                key: refusal
                for key, refusal in self._base.refusals.items()
                if key not in sent and key not in tried and (key not in mended or key in self._base.waiting)
            }
        return standing | self._stuck | {refusal.key: refusal for refusal in diff.refusals} | dict(fresh)


def _by_place(unavailable: Mapping[DocumentKey, tuple[Place, ...]]) -> dict[Place, DocumentKey]:
    return {place: key for key, places in unavailable.items() for place in places}


def _is_touched(route: CompiledRoute, touched: set[Place]) -> bool:
    """Whether a policy or a limit at one of these places may concern the route."""
    if not touched:
        return False
    _, namespace, name = route.entry.key
    if not touched.isdisjoint((MESH, ("namespace", namespace), ("route", namespace, name))):
        return True
    return any(not touched.isdisjoint(service_places(*key.owner)) for key in route.clusters + route.involved)

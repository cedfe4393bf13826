"""One revision's work: from the last state and a diff to the next state, doing only what the diff asks for.

Maps of the last state are copied before they are changed; what must change on running clusters becomes a step.
"""

from collections.abc import Mapping

from gateway.compiler.cluster_key import ClusterKey
from gateway.compiler.cluster_set import ClusterSet
from gateway.compiler.diff import CompileError, Diff, DocumentKey, ServiceKey
from gateway.compiler.document_build import DocumentBuild
from gateway.compiler.endpoint_set import EndpointSet, Instances
from gateway.compiler.hosts import single_plan
from gateway.compiler.mesh_names import mesh_names
from gateway.compiler.refusals import standing_refusals
from gateway.compiler.routes import implicit_plan
from gateway.compiler.service_instances import spoken_ports
from gateway.compiler.state import State
from gateway.compiler.steps import Step
from gateway.plan import Parts
from gateway.routing.table import Hosts
from meshway.model.instance import Instance
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
        self._instances: dict[ServiceKey, Mapping[str, Instance]] = {}
        self._clusters = ClusterSet(base, parts)

    def state(self, revision: int) -> State:
        return self.light_state(revision) or self._with_documents(revision)

    def light_state(self, revision: int) -> State | None:
        """None: routes are to be compiled for it."""
        self._take_instances()
        return None if self._compiles_routes() else self._with_instances(revision)

    def _compiles_routes(self) -> bool:
        if self._whole or self._diff.documents or any(refusal.kind != INSTANCE for refusal in self._diff.refusals):
            return True
        fresh = [service for service in self._diff.instances if service not in self._base.implicit]
        if any(self._clusters.others(ClusterKey(*service)) for service in fresh):  # more than its own cluster
            return True
        return any(self._speaks_otherwise(service) for service in self._diff.instances)

    def _speaks_otherwise(self, service: ServiceKey) -> bool:
        """By the word of its instances."""
        entry, known = self._base.documents.get(("Service", *service)), self._base.spoken_ports.get(service, {})
        return spoken_ports(None if entry is None else entry.spec, self._instances[service], known) != known

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
            context = self._clusters.route_context(base.limits, base.authentications, {}, base.unavailable)
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
            refusals=standing_refusals(base, self._diff, anew, {}, whole=self._whole),
            instances=self._instances,
            policies=base.policies,
            first_ports=base.first_ports,
            spoken_ports=base.spoken_ports,
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
            connects=base.connects,
        )

    def _with_documents(self, revision: int) -> State:
        build = DocumentBuild(
            self._base,
            self._diff,
            self._parts,
            self._clusters,
            self._instances,
            self._kept,
            whole=self._whole,
            blamed=self._blamed,
        )
        state = build.state(revision)
        self.steps = build.steps
        return state

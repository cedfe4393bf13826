"""The clusters that one revision asks for: those that run, those that are new, and who stands in for whom.

Nothing running is touched: what must change on it becomes a step.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.compiler.authentication import Authentications
from gateway.compiler.balancers import balancer_for
from gateway.compiler.blame import blame
from gateway.compiler.cluster_key import ClusterKey, failover_keys, fallback_key, other_keys
from gateway.compiler.diff import DocumentKey, Entry, ServiceKey
from gateway.compiler.filters import Limits
from gateway.compiler.policies import Place, effective, service_places, sources
from gateway.compiler.route_context import RouteContext, by_place
from gateway.compiler.service_instances import FIRST_PORT, MULTIPLEXED
from gateway.compiler.settings import cluster_settings
from gateway.compiler.state import State
from gateway.compiler.steps import Step, emptying, failing_over, falling_back, reconfiguring
from gateway.plan import Parts
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import ClusterSettings

Clusters = Mapping[ServiceKey, Mapping[ClusterKey, Cluster]]


class ClusterSet:
    """made: clusters that are new. policies, first_ports, spoken_ports, access: those by which clusters are set,
    of the base until they are replaced."""

    def __init__(self, base: State, parts: Parts) -> None:
        self.made: dict[ClusterKey, Cluster] = {}
        self.policies = base.policies
        self.first_ports = base.first_ports
        self.spoken_ports = base.spoken_ports
        self.access = base.access
        self._base = base
        self._parts = parts
        self._settings: dict[tuple[bool, bool, tuple[DocumentKey, ...]], ClusterSettings] = {}

    def places_of(self, key: ClusterKey) -> tuple[Place, ...]:
        """Where its policies attach."""
        return service_places(*key[:3], key.port or self.first_ports.get(key.owner, FIRST_PORT))

    def others(self, key: ClusterKey) -> tuple[ClusterKey, ...]:
        """All clusters that this one needs beside it."""
        return other_keys(key, self._settings_of(key))

    def route_context(
        self,
        limits: Limits,
        authentications: Authentications,
        aliases: Mapping[str, ServiceKey],
        unavailable: Mapping[DocumentKey, tuple[Place, ...]],
    ) -> RouteContext:
        """For routes whose clusters are these."""
        return RouteContext(
            self.policies,
            limits,
            authentications,
            self.access,
            aliases,
            self.cluster,
            self.others,
            self.places_of,
            self.protocol_of,
            by_place(unavailable),
            self._parts,
            self._base.routes,
        )

    def cluster(self, key: ClusterKey) -> Cluster:
        """The one that runs; made when there is none."""
        cluster = self._base.clusters.get(key.owner, {}).get(key) or self.made.get(key)
        if cluster is None:
            settings = self._settings_of(key)
            balancer = balancer_for(settings.balancing, self._parts)
            cluster = self.made[key] = Cluster(key.name, settings, balancer, self._parts, self._base.tables.watched)
        return cluster

    def gather(
        self, implicit: Iterable[ServiceKey], services: Iterable[Entry[Any]], named: Iterable[ClusterKey]
    ) -> dict[ServiceKey, dict[ClusterKey, Cluster]]:
        """Those that a service, one of its subsets or a route asks for. named: by routes."""
        wanted = {ClusterKey(*service): None for service in implicit}
        for entry in services:
            for subset in entry.spec.subsets:
                wanted[ClusterKey(entry.namespace, entry.name, subset.name)] = None
        wanted |= dict.fromkeys(named)
        added = list(wanted)
        while added:
            found = (self.others(key) for key in added)
            added = [other for keys in found for other in keys if other not in wanted]
            wanted |= dict.fromkeys(added)
        clusters: dict[ServiceKey, dict[ClusterKey, Cluster]] = {}
        for key in wanted:
            clusters.setdefault(key.owner, {})[key] = self.cluster(key)
        return clusters

    def steps(self, clusters: Clusters, *, are_settings_new: bool) -> list[Step]:
        """What running clusters must learn. clusters: as gathered; what is not among them is emptied."""
        every = {key: cluster for group in clusters.values() for key, cluster in group.items()}
        before = (pair for group in self._base.clusters.values() for pair in group.items())
        steps = [emptying(cluster) for key, cluster in before if key not in every]
        if are_settings_new:
            steps += self._reconfigured(every)
        return steps + self._wired(every)

    def protocol_of(self, key: ClusterKey) -> str:
        """What its port says is spoken there, "" = HTTP/1.1."""
        port = key.port or self.first_ports.get(key.owner, FIRST_PORT)
        return self.spoken_ports.get(key.owner, {}).get(port, "")

    def _settings_of(self, key: ClusterKey) -> ClusterSettings:
        entries = self.policies.at(self.places_of(key))
        is_strict = self.access.mesh_tls_by(key.owner) is not None
        is_multiplexed = self.protocol_of(key) in MULTIPLEXED
        made_of = (is_strict, is_multiplexed, tuple(entry.key for entry in entries))
        settings = self._settings.get(made_of)
        if settings is None:
            try:
                by = sources((f"TrafficPolicy {entry.title}", entry.spec) for entry in entries)
                policy = effective(entry.spec for entry in entries)
                settings = cluster_settings(policy, by, is_strict=is_strict, is_multiplexed=is_multiplexed)
            except Exception as error:
                raise blame(self._base.documents, entries, error) from error
            self._settings[made_of] = settings
        return settings

    def _reconfigured(self, every: Mapping[ClusterKey, Cluster]) -> list[Step]:
        steps = []
        for key, cluster in every.items():
            settings = self._settings_of(key)
            if settings != cluster.settings:
                steps.append(reconfiguring(cluster, settings, self._parts))
        return steps

    def _wired(self, every: Mapping[ClusterKey, Cluster]) -> list[Step]:
        steps = []
        failover = {key: failover_keys(key, self._settings_of(key)) for key in every}
        followers: dict[ClusterKey, list[Cluster]] = {}
        for key, others in failover.items():
            for other in others:
                followers.setdefault(other, []).append(every[key])
        for key, cluster in every.items():
            wiring = (tuple(every[other] for other in failover[key]), tuple(followers.get(key, ())))
            if wiring != (cluster.failover, cluster.followers):
                steps.append(failing_over(cluster, *wiring))
            fallback = fallback_key(key, self._settings_of(key))
            serving = None if fallback is None else every[fallback]
            if serving is not cluster.fallback:
                steps.append(falling_back(cluster, serving))
        return steps

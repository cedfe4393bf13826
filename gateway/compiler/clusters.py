"""From services and instances to clusters and endpoints that live on.

Nothing live is touched while compiling: what must change on running clusters is left as a list of steps for the loop.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from gateway.balancing.affinity import Affinity
from gateway.balancing.auto_weights import AutoWeights
from gateway.balancing.hash_key import compile_hash
from gateway.balancing.least_request import least_request
from gateway.balancing.maglev import Maglev
from gateway.balancing.peak_ewma import PeakEwma
from gateway.balancing.random import random_pick
from gateway.balancing.ring_hash import RingHash
from gateway.balancing.round_robin import RoundRobin
from gateway.compiler.diff import Entry, ServiceKey
from gateway.plan import Parts
from gateway.upstream.cluster import Balancer, Cluster
from gateway.upstream.cluster_settings import MESH, BalancingSettings, ClusterSettings
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import Network, Outside
from meshway.model.instance import Instance
from meshway.model.service import Service, SubsetMatch, target_port

Step = Callable[[], None]
EndpointKey = tuple[str, str, str]


class ClusterKey(NamedTuple):
    """subset, port: "" for the whole service and for the instances' own port."""

    namespace: str
    service: str
    subset: str = ""
    port: str = ""

    @property
    def name(self) -> str:
        port = f":{self.port}" if self.port else ""
        subset = f"#{self.subset}" if self.subset else ""
        return f"{self.namespace}/{self.service}{port}{subset}"

    @property
    def owner(self) -> ServiceKey:
        return (self.namespace, self.service)


def balancer_for(settings: BalancingSettings, parts: Parts) -> Balancer:
    algorithm = _algorithm(settings, parts)
    if settings.has_auto_weights:
        algorithm = AutoWeights(algorithm)
    return algorithm if settings.affinity is None else Affinity(algorithm, *settings.affinity)


def _algorithm(settings: BalancingSettings, parts: Parts) -> Balancer:
    random = parts.random
    match settings.algorithm:
        case "round_robin":
            return RoundRobin(random, parts.workers)
        case "random":
            return lambda eligible: random_pick(eligible, random)
        case "peak_ewma":
            return PeakEwma(random, settings.decay_s)
        case "ring_hash":
            hash_of = compile_hash(*settings.hash_key, random)
            return RingHash(hash_of, settings.ring_size, settings.max_load_factor, parts.aside)
        case "maglev":
            hash_of = compile_hash(*settings.hash_key, random)
            return Maglev(hash_of, settings.table_size, settings.max_load_factor, parts.aside)
    return lambda eligible: least_request(eligible, random, settings.choices)


def instances_of(namespace: str, service: str, document: Service | None) -> dict[str, Instance] | None:
    """The endpoints that a service brings in its document; None for a service whose instances register."""
    if document is not None and document.external is not None:
        external = document.external
        place = f"{external.host}:{external.target_port}"
        address, port = external.host, external.target_port
        return {place: Instance(namespace=namespace, service=service, id=place, address=address, port=port)}
    if document is None or document.type != "static":
        return None
    own = target_port(document.ports[0])
    others = {port.name: target_port(port) for port in document.ports[1:]}
    return {
        (place := f"{static.address}:{static.port or own}"): Instance(
            namespace=namespace,
            service=service,
            id=place,
            address=static.address,
            port=static.port or own,
            ports=others,
            version=static.version,
            zone=static.zone,
            weight=static.weight,
            tags=static.tags,
            metadata=static.metadata,
        )
        for static in document.endpoints
    }


def is_in_subset(instance: Instance, match: SubsetMatch) -> bool:
    if match.version is not None and instance.version != match.version:
        return False
    if match.zone is not None and instance.zone != match.zone:
        return False
    if not set(match.tags) <= set(instance.tags):
        return False
    return all(instance.metadata.get(name) == value for name, value in match.metadata.items())


FIRST_PORT: Final = "http"  # of a service without a document
_MULTIPLEXED: Final = frozenset({"http2", "grpc"})


def first_ports(services: Iterable[Entry[Service]]) -> dict[ServiceKey, str]:
    """The name under which a service's calls go that ask for no port."""
    return {(entry.namespace, entry.name): entry.spec.ports[0].name for entry in services}


def multiplexed_ports(services: Iterable[Entry[Service]]) -> dict[ServiceKey, Mapping[str, str]]:
    """By name the ports where HTTP/2 is spoken and what it carries, `http2` or `grpc`, of services that have some."""
    found: dict[ServiceKey, Mapping[str, str]] = {
        (entry.namespace, entry.name): {
            port.name: port.protocol for port in entry.spec.ports if port.protocol in _MULTIPLEXED
        }
        for entry in services
    }
    return {key: names for key, names in found.items() if names}


def with_ports(instances: Mapping[str, Instance], document: Service | None) -> Mapping[str, Instance]:
    """With the ports that the document knows of and an instance does not name."""
    targets = {
        port.name: port.target_port
        for port in (document.ports[1:] if document is not None else ())
        if port.target_port is not None
    }
    if not targets:
        return instances
    return {
        identity: msgspec.structs.replace(instance, ports=targets | instance.ports)
        for identity, instance in instances.items()
    }


def on_port(instances: Mapping[str, Instance], port: str, document: Service | None) -> Mapping[str, Instance]:
    """The instances as they are called on a named port, by the id they registered; those without it are left out.

    The service's first port is what an instance registers as its `port`.
    """
    own = document.ports[0].name if document is not None else FIRST_PORT
    if not port or port == own:
        return instances
    # An id of its own: another port is another endpoint, with its own connections and failures.
    return {
        identity: msgspec.structs.replace(instance, id=f"{identity}:{port}", port=instance.ports[port])
        for identity, instance in instances.items()
        if port in instance.ports
    }


def with_kept(instances: Mapping[str, Instance], kept: Mapping[str, Instance]) -> dict[str, Instance]:
    """The instances, and in place of those that are missing or critical the kept ones."""
    gone = {identity for identity in kept if (real := instances.get(identity)) is None or real.status == "critical"}
    return {**instances, **{identity: kept[identity] for identity in gone}}


class ServiceUpdate:
    """New endpoints for all clusters of one service.

    endpoints: after the update, by key. steps: to be run on the loop, before the tables with these endpoints are used.
    """

    def __init__(
        self,
        clusters: Mapping[ClusterKey, Cluster],
        instances: Mapping[str, Instance],
        document: Service | None,
        before: Mapping[EndpointKey, Endpoint],
        kept: Mapping[str, Instance],
        parts: Parts,
        allowed: tuple[Network, ...] = (),
    ) -> None:
        """clusters: all of this service. before: its endpoints until now. kept: instances that are only kept. allowed:
        where hosts outside may be though nobody is to be sent there."""
        instances, kept = with_ports(instances, document), with_ports(kept, document)
        if kept:
            instances = with_kept(instances, kept)
        self.endpoints: dict[EndpointKey, Endpoint] = {}
        self.steps: list[Step] = []
        self._before = before
        self._outside = outside_of(document, allowed)
        self._now = parts.now()
        self._member_of: dict[EndpointKey, tuple[Cluster, ...]] = {}
        alike: dict[tuple[Cluster, ...], tuple[Cluster, ...]] = {}  # most endpoints are in the same clusters
        subsets = {subset.name: subset.match for subset in document.subsets} if document is not None else {}
        by_port = {key.port: on_port(instances, key.port, document) for key in clusters}
        members: list[tuple[Cluster, tuple[Endpoint, ...]]] = []
        for key, cluster in clusters.items():
            match = subsets.get(key.subset)
            chosen = []
            for identity, instance in sorted(by_port[key.port].items()):
                if key.subset and (match is None or not is_in_subset(instance, match)):
                    continue
                endpoint = self._endpoint(instance, identity, is_kept=instances[identity] is kept.get(identity))
                chosen.append(endpoint)
                among = (*self._member_of[endpoint.key], cluster)
                self._member_of[endpoint.key] = alike.setdefault(among, among)
            members.append((cluster, tuple(chosen)))
        joining = [
            (endpoint, among)
            for place, endpoint in self.endpoints.items()
            if (among := self._member_of[place]) != endpoint.clusters
        ]
        if joining:
            self.steps.append(_joining(joining))
        for cluster, given in members:
            self.steps.append(_giving(cluster, given))
        for place, endpoint in before.items():
            if self.endpoints.get(place) is not endpoint:
                self.steps.append(retiring(endpoint, parts))

    def _endpoint(self, instance: Instance, identity: str, *, is_kept: bool) -> Endpoint:
        """The one there was, unless its address or generation changed: then counts and connections are void.

        identity: the id under which it registered.
        """
        key = (instance.namespace, instance.service, instance.id)
        known = self.endpoints.get(key)
        if known is not None:
            return known
        endpoint = self._before.get(key)
        if endpoint is None or _is_another(endpoint, instance):
            endpoint = Endpoint(instance, identity, self._now)
            own = self._before.get((instance.namespace, instance.service, identity))
            if own is not None and identity != instance.id and own.generation == endpoint.generation:
                self.steps.append(_learning(endpoint, own))
        elif endpoint.instance != instance:
            self.steps.append(_updating(endpoint, instance))
        if endpoint.outside != self._outside:
            self.steps.append(_finding(endpoint, self._outside))
        if endpoint.is_kept != is_kept:
            self.steps.append(_keeping(endpoint, is_kept=is_kept))
        self.endpoints[endpoint.key] = endpoint
        self._member_of[endpoint.key] = ()
        return endpoint


def outside_of(document: Service | None, allowed: tuple[Network, ...]) -> Outside | None:
    """None: its endpoints are called where they say they are."""
    if document is None or document.external is None:
        return None
    return Outside(document.external.host, float(document.external.refresh), allowed)


def _finding(endpoint: Endpoint, outside: Outside | None) -> Step:
    def find() -> None:
        endpoint.outside = outside

    return find


def _is_another(endpoint: Endpoint, instance: Instance) -> bool:
    return (endpoint.address, endpoint.port, endpoint.generation) != (
        instance.address,
        instance.port,
        instance.generation,
    )


def _updating(endpoint: Endpoint, instance: Instance) -> Step:
    def update() -> None:
        endpoint.instance = instance
        endpoint.weight = instance.weight

    return update


def _learning(endpoint: Endpoint, own: Endpoint) -> Step:
    """A port that is called for the first time: what the checks found out about its instance holds for it, too."""

    def learn() -> None:
        endpoint.is_check_failing = own.is_check_failing
        endpoint.is_connect_refused = own.is_check_failing and own.is_connect_refused

    return learn


def _keeping(endpoint: Endpoint, *, is_kept: bool) -> Step:
    def keep() -> None:
        endpoint.is_kept = is_kept

    return keep


def _joining(joining: list[tuple[Endpoint, tuple[Cluster, ...]]]) -> Step:
    def join() -> None:
        for endpoint, clusters in joining:
            endpoint.clusters = clusters

    return join


def _giving(cluster: Cluster, endpoints: tuple[Endpoint, ...]) -> Step:
    return lambda: cluster.set_endpoints(endpoints)


def reconfiguring(cluster: Cluster, settings: ClusterSettings, parts: Parts) -> Step:
    """The balancer is only changed with its algorithm: it would lose its place."""
    same = cluster.settings.balancing == settings.balancing
    balancer = None if same else balancer_for(settings.balancing, parts)
    return lambda: cluster.configure(settings, balancer)


def failover_keys(key: ClusterKey, settings: ClusterSettings) -> tuple[ClusterKey, ...]:
    """The clusters that serve where this one's endpoints are too few."""
    found = (
        ClusterKey(namespace or key.namespace, service, subset) for namespace, service, subset in settings.failover
    )
    return tuple(other for other in dict.fromkeys(found) if other != key)


def fallback_key(key: ClusterKey, settings: ClusterSettings) -> ClusterKey | None:
    """The cluster that is called while this one's breaker is open."""
    if settings.breaker is None or settings.breaker.fallback is None:
        return None
    namespace, service, subset = settings.breaker.fallback
    other = ClusterKey(namespace or key.namespace, service, subset)
    return None if other == key else other


def other_keys(key: ClusterKey, settings: ClusterSettings) -> tuple[ClusterKey, ...]:
    """All clusters that this one needs beside it."""
    fallback = fallback_key(key, settings)
    return failover_keys(key, settings) if fallback is None else (*failover_keys(key, settings), fallback)


def falling_back(cluster: Cluster, other: Cluster | None) -> Step:
    def fall_back() -> None:
        cluster.fallback = other

    return fall_back


def failing_over(cluster: Cluster, failover: tuple[Cluster, ...], followers: tuple[Cluster, ...]) -> Step:
    return lambda: cluster.set_failover(failover, followers)


def emptying(cluster: Cluster) -> Step:
    """For a cluster that is in no table any more: calls that still hold it find nobody."""
    return _giving(cluster, ())


def doubting(clusters: Iterable[Cluster], parts: Parts) -> Step:
    """Services of the mesh show their certificates anew: a kept connection may be of one that is not believed now."""

    def doubt() -> None:
        for cluster in clusters:
            if cluster.opening.tls is not None and cluster.opening.tls.mode == MESH:
                for endpoint in cluster.endpoints:
                    parts.retire(endpoint)

    return doubt


def retiring(endpoint: Endpoint, parts: Parts) -> Step:
    return lambda: parts.retire(endpoint)

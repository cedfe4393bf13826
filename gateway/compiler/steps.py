"""What is changed on running clusters and endpoints, each as a step that waits for the loop."""

from collections.abc import Callable, Iterable

from gateway.compiler.balancers import balancer_for
from gateway.plan import Parts
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import MESH, ClusterSettings
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import Outside
from meshway.model.instance import Instance

Step = Callable[[], None]


def finding(endpoint: Endpoint, outside: Outside | None) -> Step:
    def find() -> None:
        endpoint.outside = outside

    return find


def is_another(endpoint: Endpoint, instance: Instance) -> bool:
    return (endpoint.address, endpoint.port, endpoint.generation) != (
        instance.address,
        instance.port,
        instance.generation,
    )


def updating(endpoint: Endpoint, instance: Instance) -> Step:
    def update() -> None:
        endpoint.instance = instance
        endpoint.weight = instance.weight

    return update


def learning(endpoint: Endpoint, own: Endpoint) -> Step:
    """A port that is called for the first time: what the checks found out about its instance holds for it, too."""

    def learn() -> None:
        endpoint.is_check_failing = own.is_check_failing
        endpoint.is_connect_refused = own.is_check_failing and own.is_connect_refused

    return learn


def keeping(endpoint: Endpoint, *, is_kept: bool) -> Step:
    def keep() -> None:
        endpoint.is_kept = is_kept

    return keep


def joining(new: list[tuple[Endpoint, tuple[Cluster, ...]]]) -> Step:
    def join() -> None:
        for endpoint, clusters in new:
            endpoint.clusters = clusters

    return join


def giving(cluster: Cluster, endpoints: tuple[Endpoint, ...]) -> Step:
    return lambda: cluster.set_endpoints(endpoints)


def reconfiguring(cluster: Cluster, settings: ClusterSettings, parts: Parts) -> Step:
    """The balancer is only changed with its algorithm: it would lose its place."""
    same = cluster.settings.balancing == settings.balancing
    balancer = None if same else balancer_for(settings.balancing, parts)
    return lambda: cluster.configure(settings, balancer)


def falling_back(cluster: Cluster, other: Cluster | None) -> Step:
    def fall_back() -> None:
        cluster.fallback = other

    return fall_back


def failing_over(cluster: Cluster, failover: tuple[Cluster, ...], followers: tuple[Cluster, ...]) -> Step:
    return lambda: cluster.set_failover(failover, followers)


def emptying(cluster: Cluster) -> Step:
    """For a cluster that is in no table any more: calls that still hold it find nobody."""
    return giving(cluster, ())


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

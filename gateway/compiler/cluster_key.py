"""Which cluster is meant: a service, or a subset or a port of it, and which are called in its place."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.compiler.diff import ServiceKey
from gateway.upstream.cluster_settings import ClusterSettings
from meshway.model.document import Destination


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


def destination_key(namespace: str, destination: Destination) -> ClusterKey:
    return ClusterKey(
        destination.namespace or namespace, destination.service, destination.subset or "", destination.port or ""
    )


def all_involved(
    service: ClusterKey, standing_in: Callable[[ClusterKey], Iterable[ClusterKey]]
) -> tuple[ClusterKey, ...]:
    """A service and whoever may be called in its place, or in the place of these."""
    found = {service: None}
    waiting = [service]
    while waiting:
        added = [key for key in standing_in(waiting.pop()) if key not in found]
        found |= dict.fromkeys(added)
        waiting += added
    return tuple(found)

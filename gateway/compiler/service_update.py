"""From services and instances to clusters and endpoints that live on.

Nothing live is touched while compiling: what must change on running clusters is left as a list of steps for the loop.
"""

from collections.abc import Mapping

from gateway.compiler.cluster_key import ClusterKey
from gateway.compiler.service_instances import is_in_subset, on_port, with_kept, with_ports
from gateway.compiler.steps import (
    Step,
    finding,
    giving,
    is_another,
    joining,
    keeping,
    learning,
    retiring,
    updating,
)
from gateway.plan import Parts
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import Network, Outside
from meshway.model.instance import Instance
from meshway.model.service import Service

EndpointKey = tuple[str, str, str]


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
        new = [
            (endpoint, among)
            for place, endpoint in self.endpoints.items()
            if (among := self._member_of[place]) != endpoint.clusters
        ]
        if new:
            self.steps.append(joining(new))
        for cluster, given in members:
            self.steps.append(giving(cluster, given))
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
        if endpoint is None or is_another(endpoint, instance):
            endpoint = Endpoint(instance, identity, self._now)
            own = self._before.get((instance.namespace, instance.service, identity))
            if own is not None and identity != instance.id and own.generation == endpoint.generation:
                self.steps.append(learning(endpoint, own))
        elif endpoint.instance != instance:
            self.steps.append(updating(endpoint, instance))
        if endpoint.outside != self._outside:
            self.steps.append(finding(endpoint, self._outside))
        if endpoint.is_kept != is_kept:
            self.steps.append(keeping(endpoint, is_kept=is_kept))
        self.endpoints[endpoint.key] = endpoint
        self._member_of[endpoint.key] = ()
        return endpoint


def outside_of(document: Service | None, allowed: tuple[Network, ...]) -> Outside | None:
    """None: its endpoints are called where they say they are."""
    if document is None or document.external is None:
        return None
    return Outside(document.external.host, float(document.external.refresh), allowed)

"""What Routes have alike, found once for all of a revision: ten thousand of them lead to few services, on few hosts.

A plan, and the Route it is of, keep what they are given here; made anew for each it was a sixth of their memory.
"""

from collections.abc import Iterable

from gateway.compiler.cluster_key import ClusterKey, destination_key
from gateway.compiler.compiled_route import Attachment
from gateway.compiler.split import choose_by_weight
from gateway.plan import ChooseCluster, Parts
from gateway.upstream.cluster import Cluster
from meshway.model.document import Destination


class Alike:
    """Equal things of one revision; the first one of them stands for all."""

    __slots__ = ("_attached", "_groups", "_keys", "_straight")

    def __init__(self) -> None:
        self._keys: dict[ClusterKey, ClusterKey] = {}
        self._groups: dict[tuple[ClusterKey, ...], tuple[ClusterKey, ...]] = {}
        self._attached: dict[Attachment, Attachment] = {}
        self._straight: dict[Cluster, ChooseCluster] = {}

    def key(self, namespace: str, destination: Destination) -> ClusterKey:
        """namespace: of the Route, for a destination without one."""
        key = destination_key(namespace, destination)
        return self._keys.setdefault(key, key)

    def group(self, keys: Iterable[ClusterKey]) -> tuple[ClusterKey, ...]:
        group = tuple(keys)
        return self._groups.setdefault(group, group)

    def attached(self, attachment: Attachment) -> Attachment:
        return self._attached.setdefault(attachment, attachment)

    def straight_to(self, cluster: Cluster, parts: Parts) -> ChooseCluster:
        """Of a rule with no other destination."""
        choose = self._straight.get(cluster)
        if choose is None:
            choose = self._straight[cluster] = choose_by_weight((cluster,), (1,), parts)
        return choose

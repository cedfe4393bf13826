"""One running copy of a service as a worker sees it: address, weight, state and what is in flight."""

from typing import TYPE_CHECKING, Any

from meshway.model.instance import Instance

if TYPE_CHECKING:
    from gateway.upstream.cluster import Cluster
    from gateway.upstream.outside import Outside
    from gateway.upstream.shared_pool import SharedConnection
    from gateway.wire.interfaces import Upstream


class Endpoint:
    """Shared by all clusters (subsets) of its service and kept across table swaps, so that counts and pools live on.

    in_flight: attempts running from this worker. ejected_until: monotonic seconds, 0 = not ejected.
    is_check_failing: the active check says no. idle: pooled connections, the last one is the freshest.
    generation: of the registration; a new one clears counts and closes the pool.
    key: namespace, service, id. clusters: those it belongs to now. registered_id: the instance's, which its endpoints
    on named ports share. serving_since: when it began to serve here, 0 = long ago; has_returned: from an ejection or a
    failing check. ewma_s, ewma_at: of its latency (balancing/peak_ewma.py), 0 = unknown. limit: adaptive, of its own
    (endpoint_limits.py). outside: its address is to be looked up and judged at every connection. is_kept: the registry
    has dropped it and it is called on while it answers. answers: good ones that no outlier detection has counted.
    answers_told: all good ones until they were last reported as evidence. shared: connections for requests that run
    beside each other.
    """

    __slots__ = (
        "address",
        "answers",
        "answers_told",
        "clusters",
        "ejected_until",
        "ewma_at",
        "ewma_s",
        "generation",
        "has_returned",
        "id",
        "idle",
        "in_flight",
        "instance",
        "is_check_failing",
        "is_connect_refused",
        "is_kept",
        "key",
        "limit",
        "outlier",
        "outside",
        "port",
        "registered_id",
        "serving_since",
        "shared",
        "weight",
    )

    def __init__(self, instance: Instance, registered_id: str = "", serving_since: float = 0.0) -> None:
        self.instance = instance
        self.id = instance.id
        self.key = (instance.namespace, instance.service, instance.id)
        self.clusters: tuple[Cluster, ...] = ()
        self.address = instance.address
        self.port = instance.port
        self.weight = instance.weight
        self.generation = instance.generation
        self.in_flight = 0
        self.ejected_until = 0.0
        self.is_check_failing = False
        self.is_connect_refused = False
        self.is_kept = False
        self.answers = 0
        self.answers_told = 0
        self.serving_since = serving_since
        self.has_returned = False
        self.ewma_s = 0.0
        self.ewma_at = 0.0
        self.idle: list[Upstream] = []
        self.shared: list[SharedConnection] = []
        self.outlier: Any = None
        self.limit: Any = None
        self.outside: Outside | None = None
        self.registered_id = registered_id or instance.id

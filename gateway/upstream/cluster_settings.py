"""How a cluster is called: the merged policies of a service with every default filled in. Times in seconds."""

import math
from dataclasses import dataclass
from typing import Final

from meshway.model.secret import SecretRef
from meshway.outbound.health import HealthCheckSettings


@dataclass(slots=True, frozen=True)
class BulkheadSettings:
    """max_requests: running calls, max_connections: open ones, 0 = any number; over the host's workers, or those of the
    whole mesh. Above them at most max_pending calls wait for pending_timeout_s.
    """

    max_requests: int
    max_pending: int
    pending_timeout_s: float
    policy: str = ""  # by whose word
    max_connections: int = 0
    is_mesh_wide: bool = False

    def of_host(self, most: int, gateways: int) -> int:
        """Of a limit of the mesh, what one gateway host may use; 0 stays 0."""
        return max(1, most // max(gateways, 1)) if most and self.is_mesh_wide else most


@dataclass(slots=True, frozen=True)
class BreakerSettings:
    """outcomes, statuses: failures that count (`connect reset timeout`). It opens above failure_percent, and where more
    than slow_percent take longer than slow_over_s (inf: any time). confidence_percent: 0 = the share as observed.
    answer: status, body and content type of what is answered while it is open. fallback: who is called then instead, as
    one of ClusterSettings.failover."""

    window_s: float
    minimum_requests: int
    failure_percent: float
    outcomes: frozenset[str]
    statuses: frozenset[int]
    open_for_s: float
    open_max_s: float
    half_open_requests: int
    slow_over_s: float = math.inf
    slow_percent: float = 50.0
    confidence_percent: float = 0.0
    answer: tuple[int, str, str] | None = None
    fallback: tuple[str, str, str] | None = None
    policy: str = ""  # by whose word


@dataclass(slots=True, frozen=True)
class AdaptiveSettings:
    """Of a limit that is learnt. tolerance: how many times the uncongested latency a latency may be.

    min_limit, max_limit: calls at once from one worker, of the service or, is_per_endpoint, of each of its endpoints. A
    window is judged when it has minimum_samples.
    """

    tolerance: float
    min_limit: int
    max_limit: int
    window_s: float
    minimum_samples: int
    policy: str = ""  # by whose word
    is_per_endpoint: bool = False


@dataclass(slots=True, frozen=True)
class OutlierSettings:
    """Zero switches a consecutive rule off; ratio_percent above 100 the ratio rule."""

    consecutive_gateway_failures: int
    consecutive_5xx: int
    ratio_percent: float
    over_cluster_percent: float
    minimum_requests: int
    window_s: float
    base_ejection_s: float
    max_ejection_s: float
    max_ejection_percent: float


MESH: Final = "mesh"  # the mode by which both sides show certificates of the mesh


@dataclass(slots=True, frozen=True)
class TlsSettings:
    """mode: `simple mutual mesh`. sni: "" = the instance's address. names: one of these must be in its certificate,
    none: what was asked for. ca, certificate: names of Secrets, "" = the public authorities, nothing. namespace: of the
    document that says so, whose Secrets are meant."""

    mode: str
    sni: str = ""
    names: tuple[str, ...] = ()
    ca: SecretRef | None = None
    certificate: SecretRef | None = None
    namespace: str = ""


@dataclass(slots=True, frozen=True)
class SharingSettings:
    """Of a connection that all calls of a worker share, by HTTP/2. max_requests: after which it begins no more, 0 = any
    number. max_streams: calls at once on it."""

    connect_timeout_s: float
    idle_timeout_s: float
    max_requests: int
    max_streams: int


@dataclass(slots=True, frozen=True)
class OpeningSettings:
    """Of a new connection. max_age_s: it begins no call when it is older (inf: it may always). keepalive: seconds of
    silence until it is probed, between probes, and how many must fail; None: never. proxy_protocol: the version by
    which the service is told who calls, 0 = it is not; such a connection is of one call.
    tls: None = without. sharing: None = each call has a connection of its own.
    """

    max_age_s: float = math.inf
    keepalive: tuple[int, int, int] | None = None
    proxy_protocol: int = 0
    tls: TlsSettings | None = None
    sharing: SharingSettings | None = None


PLAIN: Final = OpeningSettings()


@dataclass(slots=True, frozen=True)
class BudgetSettings:
    percent: float
    min_per_s: float


@dataclass(slots=True, frozen=True)
class BalancingSettings:
    """hash_key: what a consistent hash takes of a call, (`header | cookie | query | source_ip | path`, name).

    decay_s: of peak_ewma. ring_size: least points of a ring. table_size: of Maglev's, a prime, 0 = by the number of
    endpoints. max_load_factor: over the mean of running calls; 0 = unbounded. affinity: `cookie` or `header`, its name,
    how long the cookie lives (seconds). has_auto_weights: who answers faster gets more, beside what is declared.
    """

    algorithm: str
    choices: int = 2
    decay_s: float = 10.0
    hash_key: tuple[str, str] = ("source_ip", "")
    ring_size: int = 1024
    table_size: int = 0
    max_load_factor: float = 0.0
    affinity: tuple[str, str, float] | None = None
    has_auto_weights: bool = False


@dataclass(slots=True, frozen=True)
class SlowStartSettings:
    window_s: float
    min_percent: float
    aggression: float


@dataclass(slots=True, frozen=True)
class EligibleSettings:
    """locality: `prefer_zone ignore zone_only`. is_warming: slow starts are for algorithms that pick freely; a hash
    that weighed its endpoints anew at each step would move callers at each."""

    locality: str
    overprovisioning: float
    panic_below_percent: float
    panic_fails: bool
    slow_start: SlowStartSettings
    is_warming: bool


@dataclass(slots=True, frozen=True)
class ClusterSettings:
    """None: the part is off. max_requests: calls on one connection before it is closed, 0 = any number.

    failover: namespace ("" = the called service's), service, subset ("" = all) of each.
    """

    balancing: BalancingSettings
    eligible: EligibleSettings
    failover: tuple[tuple[str, str, str], ...]
    connect_timeout_s: float
    idle_timeout_s: float
    max_requests: int
    budget: BudgetSettings
    bulkhead: BulkheadSettings | None
    breaker: BreakerSettings | None
    outlier: OutlierSettings | None
    health_check: HealthCheckSettings | None
    opening: OpeningSettings = PLAIN
    adaptive: AdaptiveSettings | None = None

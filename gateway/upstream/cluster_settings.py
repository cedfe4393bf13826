"""How a cluster is called: the merged policies of a service with every default filled in. Times in seconds."""

from dataclasses import dataclass

from meshway.outbound.health import HealthCheckSettings


@dataclass(slots=True, frozen=True)
class BulkheadSettings:
    """max_requests: running calls over the host's workers. Above it at most max_pending wait for pending_timeout_s."""

    max_requests: int
    max_pending: int
    pending_timeout_s: float


@dataclass(slots=True, frozen=True)
class BreakerSettings:
    """failures: outcomes that count (`connect reset timeout`) and statuses. It opens above failure_percent."""

    window_s: float
    minimum_requests: int
    failure_percent: float
    outcomes: frozenset[str]
    statuses: frozenset[int]
    open_for_s: float
    open_max_s: float
    half_open_requests: int


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


@dataclass(slots=True, frozen=True)
class BudgetSettings:
    percent: float
    min_per_s: float


@dataclass(slots=True, frozen=True)
class ClusterSettings:
    """None: the part is off. max_requests: calls on one connection before it is closed, 0 = any number."""

    algorithm: str
    choices: int
    connect_timeout_s: float
    idle_timeout_s: float
    max_requests: int
    budget: BudgetSettings
    bulkhead: BulkheadSettings | None
    breaker: BreakerSettings | None
    outlier: OutlierSettings | None
    health_check: HealthCheckSettings | None

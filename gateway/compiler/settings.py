"""An effective policy as the settings that clusters and plans run on: seconds, sets, plain numbers."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeVar

from gateway.plan import GRPC_STATUS, HedgePlan, RetryPlan
from gateway.telemetry.recent_latencies import RecentLatencies
from gateway.upstream.cluster_settings import (
    MESH,
    AdaptiveSettings,
    BalancingSettings,
    BreakerSettings,
    BudgetSettings,
    BulkheadSettings,
    ClusterSettings,
    EligibleSettings,
    OpeningSettings,
    OutlierSettings,
    SharingSettings,
    SlowStartSettings,
    TlsSettings,
)
from meshway.model.secret import secret_ref
from meshway.model.traffic_policy import (
    AdaptiveConcurrency,
    Affinity,
    Breaker,
    Bulkhead,
    Connection,
    Failover,
    Fallback,
    HashKey,
    Hedge,
    LoadBalancer,
    OutlierDetection,
    Retry,
    TrafficPolicy,
    UpstreamTls,
)
from meshway.outbound.health import settings_of
from meshway.units import Duration, parse_duration

T = TypeVar("T")
_PROXY_VERSIONS: Final = {"off": 0, "v1": 1, "v2": 2}
HASHING: Final = frozenset({"ring_hash", "maglev"})
BY_WEIGHT: Final = frozenset({"least_request", "round_robin", "random"})  # peak_ewma goes by latency as it is
_KEPT: Final = 1024  # ways to retry, and durations, that are written differently


def cluster_settings(
    policy: TrafficPolicy,
    sources: Mapping[str, str] = {},
    *,
    is_strict: bool = False,
    is_multiplexed: bool = False,
) -> ClusterSettings:
    """policy: an effective one. A complete policy has no None left, which the types cannot say.

    sources: by whose word its fields are what they are, as `policies.sources` tells. is_strict: its instances are
    called by TLS of the mesh, whatever a policy says. is_multiplexed: they speak HTTP/2, where no policy says
    otherwise.
    """
    tls = _tls(policy.tls, sources.get("tls", ""))
    if is_strict and (tls is None or tls.mode != MESH):
        tls = TlsSettings(MESH)
    balancer, connection, budget = _set(policy.load_balancer), _set(policy.connection), _set(_set(policy.retry).budget)
    return ClusterSettings(
        balancing=_balancing(balancer),
        eligible=_eligible(policy),
        failover=tuple(_elsewhere(other) for other in _set(policy.failover)),
        connect_timeout_s=float(_set(connection.connect_timeout)),
        idle_timeout_s=float(_set(connection.idle_timeout)),
        max_requests=_set(connection.max_requests),
        opening=_opening(connection, tls, is_multiplexed=is_multiplexed),
        budget=BudgetSettings(_set(budget.percent), _set(budget.min_per_second)),
        bulkhead=_bulkhead(policy.bulkhead, sources.get("bulkhead", "")),
        breaker=_breaker(policy.breaker, sources.get("breaker", "")),
        outlier=_outlier(_set(policy.outlier_detection)),
        health_check=None if policy.health_check is None else settings_of(policy.health_check),
        adaptive=_adaptive(policy.adaptive_concurrency, sources.get("adaptive_concurrency", "")),
    )


def _tls(block: UpstreamTls | None, source: str) -> TlsSettings | None:
    """source: the document's title, `TrafficPolicy shop/books`."""
    if block is None or block.mode == "off":
        return None
    return TlsSettings(
        mode=block.mode,
        sni=block.sni or "",
        names=block.subject_alt_names,
        ca=None if block.ca is None else secret_ref(block.ca),
        certificate=None if block.certificate is None else secret_ref(block.certificate),
        namespace=source.partition(" ")[2].partition("/")[0],
    )


def _opening(block: Connection, tls: TlsSettings | None, *, is_multiplexed: bool) -> OpeningSettings:
    """The kernel counts whole seconds."""
    alive = _set(block.tcp_keepalive)
    time_s, interval_s = math.ceil(_set(alive.time)), math.ceil(_set(alive.interval))
    return OpeningSettings(
        max_age_s=limit_s(block.max_age),
        keepalive=(time_s, interval_s, _set(alive.probes)) if time_s else None,
        proxy_protocol=_PROXY_VERSIONS[_set(block.proxy_protocol)],
        tls=tls,
        sharing=_sharing(block) if _is_shared(block, is_multiplexed) else None,
    )


def _is_shared(block: Connection, is_multiplexed: bool) -> bool:
    """Who tells a service of its callers by the PROXY protocol has a connection for each."""
    return block.http == "http2" or (block.http == "auto" and is_multiplexed and block.proxy_protocol == "off")


def _sharing(block: Connection) -> SharingSettings:
    return SharingSettings(
        float(_set(block.connect_timeout)),
        float(_set(block.idle_timeout)),
        _set(block.max_requests),
        _set(block.max_streams),
    )


@lru_cache(maxsize=_KEPT)
def retry_plan(retry: Retry) -> RetryPlan | None:
    """Rules for which the same is written share one: with its three sets it is the largest part of a plan."""
    if not retry.max_retries:
        return None
    backoff, budget = _set(retry.backoff), _set(retry.budget)
    statuses, grpc_codes = frozenset(_set(retry.statuses)), frozenset(_set(retry.grpc_codes))
    return RetryPlan(
        max_retries=retry.max_retries,
        conditions=frozenset(_set(retry.on)),
        statuses=statuses | {GRPC_STATUS} if grpc_codes else statuses,
        grpc_codes=frozenset() if GRPC_STATUS in statuses else grpc_codes,
        backoff_base_s=float(_set(backoff.base)),
        backoff_max_s=float(_set(backoff.max)),
        budget_percent=_set(budget.percent),
        budget_min_per_s=_set(budget.min_per_second),
        non_idempotent=_set(retry.non_idempotent),
        buffer=int(_set(retry.buffer)),
        same_endpoint=_set(retry.same_endpoint),
    )


def hedge_plan(block: Hedge | None) -> HedgePlan | None:
    """What is learnt of latencies begins anew with each plan."""
    if block is None:
        return None
    most, after = _set(block.max), _set(block.after)
    if after == "p95":
        latencies = RecentLatencies(0.95)
        return HedgePlan(most, latencies.quantile_s, latencies.add, after)
    wait_s = float(parse_duration(after))
    return HedgePlan(most, lambda _: wait_s, after=after)


@lru_cache(maxsize=_KEPT)
def limit_s(duration: Duration | None) -> float:
    """0s is no limit."""
    return float(duration) if duration else math.inf


def _balancing(block: LoadBalancer) -> BalancingSettings:
    return BalancingSettings(
        algorithm=_set(block.algorithm),
        choices=_set(block.choices),
        decay_s=float(_set(block.decay)),
        hash_key=_hash_key(_set(block.hash_key)),
        ring_size=_set(_set(block.ring_hash).min_size),
        table_size=_set(_set(block.maglev).table_size),
        max_load_factor=_set(block.max_load_factor),
        affinity=_affinity(block.affinity),
        has_auto_weights=block.weights == "auto" and block.algorithm in BY_WEIGHT,
    )


def _affinity(block: Affinity | None) -> tuple[str, str, float] | None:
    if block is None:
        return None
    ttl_s = 3600.0 if block.ttl is None else float(block.ttl)
    return ("cookie", block.cookie, ttl_s) if block.cookie is not None else ("header", _set(block.header), ttl_s)


def _hash_key(block: HashKey) -> tuple[str, str]:
    """The one part that is written, and the name it has."""
    for kind in ("header", "cookie", "query"):
        name = getattr(block, kind)
        if name is not None:
            return kind, name.lower() if kind == "header" else name
    return ("path" if block.path else "source_ip"), ""


def _eligible(policy: TrafficPolicy) -> EligibleSettings:
    locality, panic, slow = _set(policy.locality), _set(policy.panic), _set(policy.slow_start)
    return EligibleSettings(
        locality=_set(locality.mode),
        overprovisioning=_set(locality.overprovisioning),
        panic_below_percent=_set(panic.when_healthy_below_percent),
        panic_fails=panic.action == "fail",
        slow_start=SlowStartSettings(float(_set(slow.window)), _set(slow.min_percent), _set(slow.aggression)),
        is_warming=_set(policy.load_balancer).algorithm not in HASHING,
    )


def _bulkhead(block: Bulkhead | None, policy: str) -> BulkheadSettings | None:
    if block is None or not (block.max_requests or block.max_connections):
        return None
    return BulkheadSettings(
        max_requests=_set(block.max_requests),
        max_pending=_set(block.max_pending),
        pending_timeout_s=float(_set(block.pending_timeout)),
        policy=policy,
        max_connections=_set(block.max_connections),
        is_mesh_wide=block.scope == "mesh",
    )


def _breaker(block: Breaker | None, policy: str) -> BreakerSettings | None:
    if block is None:
        return None
    failures = _set(block.failures)
    fallback = block.fallback or Fallback()
    respond, other = fallback.respond, fallback.destination
    return BreakerSettings(
        window_s=float(_set(block.window)),
        minimum_requests=_set(block.minimum_requests),
        failure_percent=_set(block.failure_percent),
        outcomes=frozenset(failure for failure in failures if isinstance(failure, str)),
        statuses=frozenset(failure for failure in failures if isinstance(failure, int)),
        open_for_s=float(_set(block.open_for)),
        open_max_s=float(_set(block.open_max)),
        half_open_requests=_set(block.half_open_requests),
        slow_over_s=float(block.slow_call.over) if block.slow_call is not None else math.inf,
        slow_percent=block.slow_call.percent if block.slow_call is not None else 0.0,
        confidence_percent=_set(block.confidence_percent),
        policy=policy,
        answer=None if respond is None else (respond.status, respond.body, respond.content_type),
        fallback=None if other is None else _elsewhere(other),
    )


def _adaptive(block: AdaptiveConcurrency | None, policy: str) -> AdaptiveSettings | None:
    if block is None:
        return None
    return AdaptiveSettings(
        tolerance=_set(block.tolerance),
        min_limit=_set(block.min_limit),
        max_limit=_set(block.max_limit),
        window_s=float(_set(block.window)),
        minimum_samples=_set(block.minimum_samples),
        policy=policy,
        is_per_endpoint=block.per == "endpoint",
    )


def _outlier(block: OutlierDetection) -> OutlierSettings | None:
    if not block.enabled:
        return None
    ratio = _set(block.failure_ratio)
    return OutlierSettings(
        consecutive_gateway_failures=_set(block.consecutive_gateway_failures),
        consecutive_5xx=_set(block.consecutive_5xx),
        ratio_percent=_set(ratio.percent),
        over_cluster_percent=_set(ratio.over_cluster_percent),
        minimum_requests=_set(ratio.minimum_requests),
        window_s=float(_set(ratio.window)),
        base_ejection_s=float(_set(block.base_ejection)),
        max_ejection_s=float(_set(block.max_ejection)),
        max_ejection_percent=_set(block.max_ejection_percent),
    )


def _elsewhere(other: Failover) -> tuple[str, str, str]:
    return other.namespace or "", other.service, other.subset or ""


def _set(value: T | None) -> T:
    assert value is not None, "DEFAULTS misses a field"
    return value

"""One route to one cluster, without documents: what the relay needs and nothing of the compiler."""

import random as chance
import time
from collections.abc import Callable

from gateway.balancing.round_robin import RoundRobin
from gateway.exchange import NEVER
from gateway.plan import HedgePlan, Parts, RequestFilter, ResponseFilter, RetryPlan, RoutePlan, Settle, WebSocketPlan
from gateway.routing.table import Candidate, HostRoutes, Hosts, PathNode, Tables
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import (
    BalancingSettings,
    BreakerSettings,
    BudgetSettings,
    BulkheadSettings,
    ClusterSettings,
)
from gateway.upstream.endpoint import Endpoint
from meshway.model.instance import Instance
from tests.parts.endpoints import ELIGIBLE

DEFAULT_CONDITIONS = frozenset({"connect_failure", "refused_stream", "reset_before_request", "stale_connection"})


def endpoint(port: int, name: str = "a", address: str = "127.0.0.1") -> Endpoint:
    return Endpoint(Instance(namespace="default", service="books", id=name, address=address, port=port))


def retry_plan(
    *,
    max_retries: int = 1,
    conditions: frozenset[str] = DEFAULT_CONDITIONS,
    statuses: frozenset[int] = frozenset(),
    backoff_base_s: float = 0.025,
    backoff_max_s: float = 0.25,
    non_idempotent: bool = False,
    buffer: int = 65_536,
    same_endpoint: bool = False,
    grpc_codes: frozenset[int] = frozenset(),
) -> RetryPlan:
    return RetryPlan(
        max_retries=max_retries,
        conditions=conditions,
        statuses=statuses,
        backoff_base_s=backoff_base_s,
        backoff_max_s=backoff_max_s,
        budget_percent=20.0,
        budget_min_per_s=10.0,
        non_idempotent=non_idempotent,
        buffer=buffer,
        same_endpoint=same_endpoint,
        grpc_codes=grpc_codes,
    )


def cluster(
    *endpoints: Endpoint,
    now: Callable[[], float],
    connect_timeout_s: float = 1.0,
    idle_timeout_s: float = 4.0,
    max_requests: int = 0,
    budget: BudgetSettings | None = None,
    bulkhead: BulkheadSettings | None = None,
    breaker: BreakerSettings | None = None,
) -> Cluster:
    parts = Parts(now=now, random=chance.random)
    settings = ClusterSettings(
        balancing=BalancingSettings("round_robin"),
        eligible=ELIGIBLE,
        failover=(),
        connect_timeout_s=connect_timeout_s,
        idle_timeout_s=idle_timeout_s,
        max_requests=max_requests,
        budget=budget or BudgetSettings(20.0, 10.0),
        bulkhead=bulkhead,
        breaker=breaker,
        outlier=None,
        health_check=None,
    )
    made = Cluster("default/books", settings, RoundRobin(chance.random, 1), parts, set())
    made.set_endpoints(endpoints)
    return made


def plan(
    target: Cluster | None,
    *,
    request_filters: tuple[RequestFilter, ...] = (),
    response_filters: tuple[ResponseFilter, ...] = (),
    retry: RetryPlan | None = None,
    hedge: HedgePlan | None = None,
    deadline_s: float = NEVER,
    attempt_s: float = NEVER,
    first_byte_s: float = 60.0,
    idle_s: float = 300.0,
    upgraded_idle_s: float = 3600.0,
    websocket: WebSocketPlan | None = None,
    settle: Settle | None = None,
) -> RoutePlan:
    return RoutePlan(
        route="default/books",
        rule="all",
        slot=0,
        request_filters=request_filters,
        response_filters=response_filters,
        choose=None if target is None else lambda _: target,
        retry=retry,
        hedge=hedge,
        replay=65_536 if hedge is not None else retry.buffer if retry is not None else 0,
        deadline_s=deadline_s,
        attempt_s=attempt_s,
        first_byte_s=first_byte_s,
        idle_s=idle_s,
        upgraded_idle_s=upgraded_idle_s,
        websocket=websocket,
        settle=settle,
        reaches=frozenset() if target is None else frozenset({target.name}),
    )


def one_route(route: RoutePlan | None) -> Tables:
    """What is below `/none` has no route, the rest has the plan, on either listener. None: nothing has a route."""
    root = PathNode(() if route is None else (Candidate((), route),))
    root.children[b"none"] = PathNode()
    hosts = Hosts({}, {}, HostRoutes({}, root))
    return Tables(1, hosts, hosts, {}, {}, set(), Parts(now=time.monotonic, random=chance.random))

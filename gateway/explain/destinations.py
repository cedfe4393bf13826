"""Where a rule's calls can go: each destination with its endpoints as they stand, and what admits a call there."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.compiler.cluster_key import ClusterKey, destination_key
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.policies import service_places, sources
from gateway.compiler.service_instances import FIRST_PORT
from gateway.compiler.state import State
from gateway.exchange import Exchange, Reply
from gateway.plan import BUILT_IN, RoutePlan
from gateway.upstream.breaker import CLOSED
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import MESH
from gateway.upstream.eligible import state_of
from gateway.upstream.endpoint import Endpoint
from meshway.explanation import DestinationState, EndpointState, Said, Setting
from meshway.model.document import Destination

MOST_ENDPOINTS: Final = 100  # of a destination; eligible ones first


def destinations_of(
    state: State, plan: RoutePlan, route: CompiledRoute | None, rule: int, by: Said, exchange: Exchange, now: float
) -> list[DestinationState]:
    """route None: the implicit one of a service. rule: its index. by: the rule."""
    if route is None:
        namespace, _, name = plan.route.partition("/")
        key = ClusterKey(namespace, name.removeprefix("implicit:"))
        return [_destination(state, key, 100.0, by, exchange, now)]
    written = route.entry.spec.rules[rule].destinations
    said = Said(document=by.document, path=f"spec.rules[{rule}]")
    return destinations_told(state, route.entry.namespace, written, said, exchange, now)


def destinations_told(
    state: State, namespace: str, written: Sequence[Destination], by: Said, exchange: Exchange, now: float
) -> list[DestinationState]:
    """namespace: of the document that has them. by: where in it."""
    total = sum(destination.weight for destination in written)
    return [
        _destination(
            state,
            destination_key(namespace, destination),
            100.0 * destination.weight / total if len(written) > 1 else 100.0,
            Said(document=by.document, path=f"{by.path}.destinations[{at}]"),
            exchange,
            now,
        )
        for at, destination in enumerate(written)
    ]


def admission(cluster: Cluster, exchange: Exchange, now: float) -> Reply | str:
    """What breaker, adaptive limit and bulkhead would say: a refusal, or in words that they let the call in. Nothing is
    counted."""
    breaker, limit, bulkhead = cluster.breaker, cluster.limit, cluster.bulkhead
    said = []
    if breaker is not None:
        refusal = breaker.forecast(now)
        if refusal is not None:
            return refusal
        said.append(f"breaker {breaker.state}" if breaker.state is CLOSED else "breaker half open: this call probes")
    if limit is not None:
        refusal = limit.forecast(exchange)
        if refusal is not None:
            return refusal
        said.append(f"{len(limit.held)} of {limit.limit:.0f} calls run")
    elif cluster.endpoint_limits is not None:
        refusal = cluster.endpoint_limits.forecast(exchange, cluster.eligible)
        if refusal is not None:
            return refusal
        running = sum(endpoint.in_flight for endpoint in cluster.eligible)
        said.append(f"{running} of {cluster.most_at_once:.0f} calls run on all instances")
    if bulkhead is not None:
        refusal = bulkhead.forecast()
        if refusal is not None:
            return refusal
        waits = f"waits behind {bulkhead.waiting} others" if bulkhead.would_wait else "has room"
        said.append(f"bulkhead {waits}")
    return ", ".join(said) or "nothing bounds it"


def _destination(
    state: State, key: ClusterKey, share: float, by: Said, exchange: Exchange, now: float
) -> DestinationState:
    cluster = state.tables.clusters[key.name]
    verdict = admission(cluster, exchange, now)
    endpoints = _endpoints(cluster, now)
    return DestinationState(
        document=by.document,
        path=by.path,
        service=cluster.name,
        share_percent=round(share, 2),
        admission=verdict.detail if isinstance(verdict, Reply) else verdict,
        endpoints=endpoints[:MOST_ENDPOINTS],
        endpoints_left_out=max(len(endpoints) - MOST_ENDPOINTS, 0),
        settings=list(_settings(state, key, cluster)),
    )


def _endpoints(cluster: Cluster, now: float) -> list[EndpointState]:
    eligible, weights = cluster.eligible, cluster.weights
    total = sum(weights)
    told = [
        _endpoint(each, now, 100.0 * weight / total, "" if each in cluster.endpoints else "serves by failover")
        for each, weight in zip(eligible, weights, strict=True)
    ]
    return told + [_endpoint(each, now, 0.0, _why_not(each, now)) for each in cluster.endpoints if each not in eligible]


def _endpoint(endpoint: Endpoint, now: float, share: float, why: str) -> EndpointState:
    return EndpointState(
        id=endpoint.id,
        address=f"{endpoint.address}:{endpoint.port}",
        state=state_of(endpoint, now),
        weight=endpoint.weight,
        eligible=share > 0.0,
        share_percent=round(share, 2),
        in_flight=endpoint.in_flight,
        why=why,
    )


def _why_not(endpoint: Endpoint, now: float) -> str:
    match state_of(endpoint, now):
        case "ejected":
            return f"ejected for {endpoint.ejected_until - now:.1f} s more: its calls failed"
        case "check_failing":
            refused = ": it refuses connections" if endpoint.is_connect_refused else ""
            return f"its active check fails{refused}"
        case "drained":
            return "its weight is 0"
        case "passing" | "kept":
            return "others of its level take all calls: zone, or panic"
        case status:
            return f"the registry says {status}"


def whose_settings(state: State, key: ClusterKey) -> dict[str, str]:
    """By field, the TrafficPolicy whose word it is; what is missing is built in."""
    places = service_places(*key[:3], key.port or state.first_ports.get(key.owner, FIRST_PORT))
    return sources((f"TrafficPolicy {entry.title}", entry.spec) for entry in state.policies.at(places))


def _settings(state: State, key: ClusterKey, cluster: Cluster) -> Iterator[Setting]:
    """What decides here beside the endpoints themselves."""
    by = whose_settings(state, key)
    settings = cluster.settings
    shown: list[tuple[str, str]] = [
        ("load_balancer.algorithm", settings.balancing.algorithm),
        ("connection.connect_timeout", f"{settings.connect_timeout_s:g}s"),
        ("locality.mode", settings.eligible.locality),
    ]
    if settings.opening.proxy_protocol:
        shown.append(("connection.proxy_protocol", f"v{settings.opening.proxy_protocol}"))
    strict = state.access.mesh_tls_by(key.owner)
    if strict is not None:
        yield Setting(document=strict, path="spec.mtls", field="tls.mode", value=MESH)
    elif settings.opening.tls is not None:
        shown.append(("tls.mode", settings.opening.tls.mode))
    if settings.failover:
        shown.append(("failover", ", ".join(_named(each) for each in settings.failover)))
    if settings.bulkhead is not None:
        bulkhead = settings.bulkhead
        shown += [("bulkhead.max_requests", str(bulkhead.max_requests))] if bulkhead.max_requests else []
        shown += [("bulkhead.max_connections", str(bulkhead.max_connections))] if bulkhead.max_connections else []
    if settings.breaker is not None:
        shown.append(("breaker.failure_percent", f"{settings.breaker.failure_percent:g}"))
    if settings.adaptive is not None:
        shown.append(("adaptive_concurrency.tolerance", f"{settings.adaptive.tolerance:g}"))
    shown.append(("outlier_detection.enabled", "false" if settings.outlier is None else "true"))
    for field, value in shown:
        yield Setting(document=by.get(field, BUILT_IN), path=f"spec.{field}", field=field, value=value)


def _named(failover: Sequence[str]) -> str:
    namespace, service, subset = failover
    return f"{namespace}/{service}".lstrip("/") + (f"#{subset}" if subset else "")

"""What a worker's tables look like now, for people (`/config`): clusters, endpoints and their states, no secrets."""

from typing import Any, Final

from gateway.routing.table import Tables
from gateway.upstream.cluster import Cluster
from gateway.upstream.eligible import state_of
from gateway.upstream.endpoint import Endpoint

MOST_ENDPOINTS: Final = 2_000  # an answer is one frame of the channel


def tables_state(tables: Tables, now: float) -> dict[str, Any]:
    clusters: dict[str, Any] = {}
    shown = left_out = 0
    for name in sorted(tables.clusters):
        cluster = tables.clusters[name]
        if shown + len(cluster.endpoints) > MOST_ENDPOINTS:
            left_out += 1
            continue
        shown += max(len(cluster.endpoints), 1)
        clusters[name] = _cluster(cluster, now)
    return {"revision": tables.revision, "clusters": clusters, "left_out": left_out}


def _cluster(cluster: Cluster, now: float) -> dict[str, Any]:
    breaker = cluster.breaker
    return {
        "breaker": None if breaker is None else str(breaker.state),
        "pending": cluster.bulkhead.waiting if cluster.bulkhead is not None else 0,
        "panicking": cluster.is_panicking,
        "eligible": len(cluster.eligible),
        "endpoints": [_endpoint(endpoint, now) for endpoint in cluster.endpoints],
    }


def _endpoint(endpoint: Endpoint, now: float) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "address": f"{endpoint.address}:{endpoint.port}",
        "state": state_of(endpoint, now),
        "weight": endpoint.weight,
        "in_flight": endpoint.in_flight,
        "idle_connections": len(endpoint.idle),
        "ejected_for_s": round(max(endpoint.ejected_until - now, 0.0), 3),
    }

"""Which endpoints of a cluster a balancer may pick. Computed when something changes, never per call."""

from collections.abc import Sequence

from gateway.upstream.endpoint import Endpoint


def eligible_endpoints(endpoints: Sequence[Endpoint], now: float) -> tuple[tuple[Endpoint, ...], bool]:
    """The healthy ones in their order and False; when there is none, the suspects and True (panic).

    Healthy: passing, weight above 0, not ejected, check not failing. Suspects: ejected, or failing their check by
    status or timeout, the least recently failed first. What drains, expired or refuses connections never serves.
    """
    callable_ones = [e for e in endpoints if e.weight > 0 and e.instance.status == "passing"]
    healthy = tuple(e for e in callable_ones if e.ejected_until <= now and not e.is_check_failing)
    if healthy:
        return healthy, False
    suspects = [e for e in callable_ones if not e.is_connect_refused]
    suspects.sort(key=_failed_at)
    return tuple(suspects), bool(suspects)


def state_of(endpoint: Endpoint, now: float) -> str:
    """For showing: `passing ejected check_failing drained kept` or the instance's own status."""
    if endpoint.instance.status != "passing":
        return endpoint.instance.status
    if endpoint.weight == 0:
        return "drained"
    if endpoint.ejected_until > now:
        return "ejected"
    if endpoint.is_check_failing:
        return "check_failing"
    return "kept" if endpoint.is_kept else "passing"


def _failed_at(endpoint: Endpoint) -> float:
    return endpoint.outlier.failed_at if endpoint.outlier is not None else 0.0

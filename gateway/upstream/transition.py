"""What one process of a host finds out about an endpoint or a breaker, and how the others take it in."""

from typing import Literal

import msgspec

from gateway.upstream.endpoint import Endpoint

TransitionKind = Literal[
    "ejected", "returned", "check_failed", "check_passed", "breaker_opened", "breaker_half_open", "breaker_closed",
    "breaker_reset", "failing",
]  # fmt: skip


class Transition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one worker or the health checker found out and the others shall know.

    endpoint: namespace, service, id; None for a breaker's, which names its cluster. until_s: monotonic seconds, the
    same clock in all processes of a host. count: ejections or openings in a row. reason: why a check failed
    (`connect_refused`, `status`, `timeout`), or what an endpoint was ejected for. failing: it would be ejected, and is
    called on for want of others; for people only, and said again while it is so. breaker_reset: somebody closes all
    breakers of a service by hand; cluster is the service.
    """

    kind: TransitionKind
    cluster: str = ""
    endpoint: tuple[str, str, str] | None = None
    until_s: float = 0.0
    count: int = 0
    reason: str = ""


def service_of(cluster: str) -> str:
    """`shop/reviews` of `shop/reviews:admin#v2`, as `gateway/compiler/cluster_key.py` makes names."""
    return cluster.partition("#")[0].partition(":")[0]


def apply_to_endpoint(endpoint: Endpoint, transition: Transition, now: float) -> None:
    """An ejection, a return or a check's verdict; every cluster with the endpoint takes notice at once."""
    kind = transition.kind
    if kind == "failing":
        return
    if kind == "ejected":
        endpoint.ejected_until = max(endpoint.ejected_until, transition.until_s)
        endpoint.is_connect_refused = endpoint.is_connect_refused or transition.reason == "connect_failure"
    elif kind == "returned":
        endpoint.ejected_until = min(endpoint.ejected_until, now)
    elif kind == "check_failed":
        endpoint.is_check_failing = True
        endpoint.is_connect_refused = transition.reason == "connect_refused"
    elif kind == "check_passed":
        was_failing, endpoint.is_check_failing = endpoint.is_check_failing, False
        endpoint.is_connect_refused = False
        if was_failing:
            begin_slowly(endpoint, now)
            for cluster in endpoint.clusters:
                if cluster.breaker is not None:
                    cluster.breaker.end_open_early()
    if endpoint.outlier is not None and kind == "ejected":
        endpoint.outlier.ejections = max(endpoint.outlier.ejections, transition.count)
    for cluster in endpoint.clusters:
        cluster.refresh(now)


def begin_slowly(endpoint: Endpoint, now: float) -> None:
    """It serves again from now on, and slow start applies."""
    endpoint.serving_since = now
    endpoint.has_returned = True

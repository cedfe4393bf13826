"""Which endpoints of a cluster a balancer may pick, and with what weights. Computed on change, never per call.

Endpoints lie in levels: those of the gateway's zone, the other zones', then each failover cluster's. A level takes all
calls while its healthy share times `overprovisioning` reaches 1; what is missing spills to the next level, so that a
loss moves calls gradually (Envoy's priority levels). Young endpoints weigh less for a while (slow start).
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from gateway.upstream.cluster_settings import EligibleSettings
from gateway.upstream.endpoint import Endpoint

# Weights are whole numbers; a scaled one keeps four digits of its share.
_SHARE: Final = 10_000
_WARMTH: Final = 100
SLOW_RETURN_S: Final = 5.0  # who was ejected or failed its check comes back this slowly at least
_STEPS: Final = 20  # of a slow start: each makes the balancers anew
_SHORTEST_STEP_S: Final = 0.25
# Out of service on purpose: no loss that other levels have to make good.
_INTENDED: Final = frozenset({"draining", "maintenance"})


class Eligible(NamedTuple):
    """endpoints: in order of id within a level; weights: of each, above 0, whole.

    away: ejected or failing their check, expected back. due: when time alone changes this (monotonic), inf = never.
    """

    endpoints: tuple[Endpoint, ...]
    weights: tuple[int, ...]
    away: tuple[Endpoint, ...] = ()
    is_panicking: bool = False
    due: float = math.inf


NOBODY: Final = Eligible((), ())


class _Level(NamedTuple):
    """endpoints: who may serve. expected: how many should."""

    endpoints: list[Endpoint]
    expected: int


def eligible_endpoints(
    endpoints: Sequence[Endpoint],
    failover: Iterable[Sequence[Endpoint]],
    settings: EligibleSettings,
    zone: str,
    now: float,
) -> Eligible:
    """endpoints: the cluster's own; failover: those of each failover cluster, the first is asked first.

    Healthy: passing, weight above 0, not ejected, check not failing. When too few are (none, unless the policy says
    more), suspects serve too (panic): ejected, or failing their check by status or timeout, the least recently failed
    first. What drains, expired or refuses connections never serves. zone: the gateway's.
    """
    own = _in_zones(endpoints, settings.locality, zone)
    levels = [_level(some, now) for some in (*own, *failover)]
    members = [endpoint for some in own for endpoint in some]
    away = _suspects(members, now)
    if _is_panic(levels, settings.panic_below_percent):
        if settings.panic_fails:
            return Eligible((), (), away)
        suspects = [endpoint for endpoint in away if not endpoint.is_connect_refused]
        if suspects:
            serving = (*(endpoint for level in levels for endpoint in level.endpoints), *suspects)
            return Eligible(serving, tuple(endpoint.weight for endpoint in serving), is_panicking=True)
    return _shared(levels, settings, away, now)


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


def warmth(age_s: float, window_s: float, min_percent: float, aggression: float) -> float:
    """The share of its weight that an endpoint of this age gets (Envoy's slow start)."""
    grown: float = min(1.0, max(age_s, 0.0) / window_s) ** (1.0 / aggression)
    return max(min_percent / 100.0, grown)


def _in_zones(endpoints: Sequence[Endpoint], locality: str, zone: str) -> list[Sequence[Endpoint]]:
    """The zone's own, then the others'. A gateway that knows no zone has none to prefer."""
    if locality == "ignore" or not zone:
        return [endpoints]
    near = [endpoint for endpoint in endpoints if endpoint.instance.zone == zone]
    if locality == "zone_only":
        return [near]
    return [near, [endpoint for endpoint in endpoints if endpoint.instance.zone != zone]]


def _is_healthy(endpoint: Endpoint, now: float) -> bool:
    return (
        endpoint.weight > 0
        and endpoint.instance.status == "passing"
        and endpoint.ejected_until <= now
        and not endpoint.is_check_failing
    )


def _level(endpoints: Sequence[Endpoint], now: float) -> _Level:
    healthy = [endpoint for endpoint in endpoints if _is_healthy(endpoint, now)]
    return _Level(healthy, sum(1 for e in endpoints if e.weight > 0 and e.instance.status not in _INTENDED))


def _suspects(endpoints: Iterable[Endpoint], now: float) -> tuple[Endpoint, ...]:
    found = [
        endpoint
        for endpoint in endpoints
        if endpoint.weight > 0
        and endpoint.instance.status == "passing"
        and (endpoint.ejected_until > now or endpoint.is_check_failing)
    ]
    return tuple(sorted(found, key=_failed_at))


def _is_panic(levels: list[_Level], below_percent: float) -> bool:
    healthy = sum(len(level.endpoints) for level in levels)
    return not healthy or healthy * 100.0 < below_percent * sum(level.expected for level in levels)


def _shared(levels: list[_Level], settings: EligibleSettings, away: tuple[Endpoint, ...], now: float) -> Eligible:
    """The calls divided among the levels, and in each by weight and age."""
    shares = _shares(levels, settings.overprovisioning)
    serving = [(level.endpoints, share) for level, share in zip(levels, shares, strict=True) if share]
    endpoints = tuple(endpoint for members, _ in serving for endpoint in members)
    weights, due = _warmed(endpoints, settings, now)
    if len(serving) > 1:
        weights = _spread(serving, weights)
    return Eligible(endpoints, weights, away, due=due)


def _shares(levels: list[_Level], overprovisioning: float) -> list[float]:
    """Of all calls for each level, in order; when all levels together cannot take them, in proportion."""
    left, shares = 1.0, []
    for level in levels:
        health = len(level.endpoints) / level.expected if level.expected else 0.0
        share = min(left, health * overprovisioning)
        share = left if left - share < 1e-9 else share
        shares.append(share)
        left -= share
    total = sum(shares)
    return [share / total for share in shares] if total else shares


def _spread(serving: list[tuple[list[Endpoint], float]], weights: Sequence[int]) -> tuple[int, ...]:
    spread: list[int] = []
    at = 0
    for members, share in serving:
        own = weights[at : at + len(members)]
        at += len(members)
        total = sum(own)
        spread += [max(1, round(_SHARE * len(weights) * share * weight / total)) for weight in own]
    return tuple(spread)


def _warmed(endpoints: Sequence[Endpoint], settings: EligibleSettings, now: float) -> tuple[tuple[int, ...], float]:
    """Weights by age, and when they change again. All of one age weigh as ever: there is nobody to spare them."""
    slow = settings.slow_start
    factors, due = [], math.inf
    if not settings.is_warming:
        return tuple(endpoint.weight for endpoint in endpoints), due
    for endpoint in endpoints:
        window_s = max(slow.window_s, SLOW_RETURN_S) if endpoint.has_returned else slow.window_s
        age_s = now - endpoint.serving_since
        if age_s >= window_s:
            factors.append(1.0)
            continue
        factors.append(warmth(age_s, window_s, slow.min_percent, slow.aggression))
        due = min(due, now + max(window_s / _STEPS, _SHORTEST_STEP_S))
    if not factors or min(factors) == max(factors):
        return tuple(endpoint.weight for endpoint in endpoints), due
    weights = zip(endpoints, factors, strict=True)
    return tuple(max(1, round(endpoint.weight * _WARMTH * factor)) for endpoint, factor in weights), due


def _failed_at(endpoint: Endpoint) -> float:
    return endpoint.outlier.failed_at if endpoint.outlier is not None else 0.0

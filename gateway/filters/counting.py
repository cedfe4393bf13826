"""From a RateLimit's document to what counts: alone, or together with others by assignments."""

import math
from typing import Final

from gateway.limits.algorithm import Algorithm
from gateway.limits.assigned import Assigned
from gateway.limits.assigned_in_flight import AssignedInFlight
from gateway.limits.assigned_quota import AssignedQuota
from gateway.limits.calendar import Calendar
from gateway.limits.desk import Desk
from gateway.limits.in_flight import InFlight
from gateway.limits.quota import Quotas
from gateway.limits.shared import Shared
from gateway.limits.sliding_window import SlidingWindows
from gateway.limits.token_bucket import TokenBuckets
from gateway.plan import Parts
from meshway.assignments.messages import Budget
from meshway.model.rate_limit import Quota, RateLimit

_FINEST: Final = 60  # segments
_DAY_S: Final = 86_400


def assigned_counts(policy: RateLimit, identity: str, desk: Desk, parts: Parts) -> Shared:
    """What all who write the same identity count together."""
    budget, waits_s = budget_of(policy, identity), float(policy.max_wait)
    alone = local_counts(policy, parts)
    if policy.in_flight is not None:
        assert isinstance(alone, InFlight)
        return AssignedInFlight(
            budget,
            desk,
            alone,
            parts.advancing,
            on_failure=policy.on_store_failure,
            patience_s=waits_s,
            max_queue=policy.max_queue,
        )
    if policy.quota is not None:
        assert isinstance(alone, Quotas)
        return AssignedQuota(
            budget,
            desk,
            _calendar(policy.quota, parts),
            alone,
            parts.advancing,
            max_keys=policy.max_keys,
            on_failure=policy.on_store_failure,
        )
    return Assigned(
        budget,
        desk,
        alone,
        parts.advancing,
        max_keys=policy.max_keys,
        on_failure=policy.on_store_failure,
        patience_s=waits_s,
        max_queue=policy.max_queue,
    )


def local_counts(policy: RateLimit, parts: Parts) -> Algorithm:
    """A worker's own count, of its share among `parts.workers`. Raises ZoneInfoNotFoundError."""
    workers, least = parts.workers, policy.cost if isinstance(policy.cost, int) else 1
    if policy.in_flight is not None:
        return InFlight(policy.in_flight.max, workers)
    if policy.quota is not None:
        return Quotas(policy.quota.limit, _calendar(policy.quota, parts), policy.max_keys, workers, least)
    window = policy.sliding_window
    if window is not None:
        return SlidingWindows(
            window.limit,
            float(window.window),
            window.segments,
            exact=window.exact,
            max_keys=policy.max_keys,
            workers=workers,
            least=least,
        )
    bucket = policy.token_bucket
    assert bucket is not None, "the rules of the model want one algorithm"
    return TokenBuckets(float(bucket.rate), float(quota_of(policy)[0]), policy.max_keys, workers, least)


def budget_of(policy: RateLimit, identity: str) -> Budget:
    """What is shared. Of an exact window the moments are not, so it is counted as finely as a window can be."""
    limit, window_s = quota_of(policy)
    if policy.in_flight is not None:
        return Budget(id=identity, kind="running", limit=limit, rate=1.0)
    if policy.quota is not None:
        lasts_s = float(window_s or 31 * _DAY_S)
        return Budget(id=identity, kind="period", limit=limit, rate=limit / lasts_s, window_s=lasts_s)
    window = policy.sliding_window
    if window is not None:
        segments, seconds = _FINEST if window.exact else window.segments, float(window.window)
        return Budget(
            id=identity, kind="window", limit=limit, rate=limit / seconds, window_s=seconds, segments=segments
        )
    bucket = policy.token_bucket
    assert bucket is not None, "the rules of the model want one algorithm"
    return Budget(id=identity, limit=limit, rate=float(bucket.rate), lends=policy.cost == 1)


def quota_of(policy: RateLimit) -> tuple[int, int]:
    """Most calls at once, and the seconds after which so many may come again; 0: no fixed time."""
    if policy.in_flight is not None:
        return policy.in_flight.max, 0
    if policy.quota is not None:
        return policy.quota.limit, _DAY_S if policy.quota.per == "day" else 0
    window = policy.sliding_window
    if window is not None:
        return window.limit, math.ceil(window.window)
    bucket = policy.token_bucket
    assert bucket is not None, "the rules of the model want one algorithm"
    burst = bucket.burst if bucket.burst is not None else max(int(bucket.rate), 1)
    return burst, math.ceil(burst / float(bucket.rate))


def _calendar(quota: Quota, parts: Parts) -> Calendar:
    return Calendar(quota.per, quota.timezone, parts.wall)

"""What a RateLimit allows, and how it stands, in words for people: in refusals and explanations.

What a limit counts by is named, its values never: they may be credentials.
"""

import math

from gateway.filters.counting import quota_of
from gateway.limits.algorithm import Algorithm
from gateway.limits.shared import Shared
from meshway.model.rate_limit import RateLimit
from meshway.units import format_duration


def terms_of(policy: RateLimit) -> str:
    """How much, in which time, for whom: `5 calls a day (UTC) for each header.x-team and route`."""
    if policy.in_flight is not None:
        much = f"{policy.in_flight.max} calls at once"
    elif policy.quota is not None:
        much = f"{policy.quota.limit} calls a {policy.quota.per} ({policy.quota.timezone})"
    elif policy.sliding_window is not None:
        much = f"{policy.sliding_window.limit} calls in any {policy.sliding_window.window}"
    else:
        assert policy.token_bucket is not None, "the rules of the model want one algorithm"
        much = f"{policy.token_bucket.rate}, {quota_of(policy)[0]} at once"
    parts = parts_of(policy)
    return f"{much} for each {parts}" if parts else much


def parts_of(policy: RateLimit) -> str:
    """Kinds of what it counts apart by, "" = all calls together."""
    return " and ".join(part for part in policy.key if part != "constant")


def stand_of(policy: RateLimit, counts: Algorithm, key: str, now: float) -> str:
    """How much is left of it, where, and when there is all of it again."""
    left, most = int(counts.left(key, now) + 1e-6), quota_of(policy)[0]
    where = _where(policy, counts)
    if policy.in_flight is not None:
        return f"{max(most - left, 0)} of {most} calls run {where}"
    return f"{left} of {most} left {where}, whole again in {seconds(counts.reset_s(key, now))}"


def seconds(wait_s: float) -> str:
    """As people write it; whole seconds, rounded up, from ten on."""
    return format_duration(math.ceil(wait_s)) if wait_s >= 10.0 else f"{wait_s:.1f}s"


def _where(policy: RateLimit, counts: Algorithm) -> str:
    if not isinstance(counts, Shared):
        return "in this worker"
    if counts.is_alone:
        return "of this worker's share, since nobody can be asked"
    return "in all gateways" if policy.scope == "mesh" else "on this host"

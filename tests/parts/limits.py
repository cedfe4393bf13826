"""Limits as a rule applies them, without documents."""

from gateway.filters.limit import AppliedLimit, Limit
from gateway.limits.key import compile_key
from gateway.plan import Parts
from meshway.model.rate_limit import RateLimit, SlidingWindow, TokenBucket
from meshway.units import Duration, Rate
from tests.parts.clock import ManualClock


def limit(
    name: str = "checkout", rate: float = 0.2, burst: int = 2, parts: Parts | None = None, **fields: object
) -> AppliedLimit:
    policy = RateLimit(token_bucket=TokenBucket(rate=Rate(rate), burst=burst), **fields)  # type: ignore[arg-type]
    return _applied(name, policy, parts)


def window(name: str = "checkout", calls: int = 2, parts: Parts | None = None, **fields: object) -> AppliedLimit:
    """So many calls in any 10 s."""
    counted = SlidingWindow(limit=calls, window=Duration(10), exact=True)
    return _applied(name, RateLimit(sliding_window=counted, **fields), parts)  # type: ignore[arg-type]


def other(parts: Parts, **fields: object) -> AppliedLimit:
    """Of whatever algorithm the fields say."""
    return _applied("checkout", RateLimit(**fields), parts)  # type: ignore[arg-type]


def _applied(name: str, policy: RateLimit, parts: Parts | None) -> AppliedLimit:
    key_of = compile_key(policy.key, service="s", route="r", rule="0", shares_missing=policy.on_missing_key == "shared")
    limit = Limit(name, policy, parts or Parts(now=ManualClock(), random=lambda: 0.0), f"default/{name}")
    return AppliedLimit(limit, key_of)

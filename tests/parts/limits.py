"""Limits as a rule applies them, without documents."""

from gateway.filters.rate_limit import AppliedLimit, Limit
from gateway.limits.key import compile_key
from meshway.model.rate_limit import RateLimit, TokenBucket
from meshway.units import Rate


def limit(name: str = "checkout", rate: float = 0.2, burst: int = 2, **fields: object) -> AppliedLimit:
    policy = RateLimit(token_bucket=TokenBucket(rate=Rate(rate), burst=burst), **fields)  # type: ignore[arg-type]
    key_of = compile_key(policy.key, service="s", route="r", rule="0", shares_missing=policy.on_missing_key == "shared")
    return AppliedLimit(Limit(name, policy, workers=1), key_of)

"""Refuses a call whose key has spent its tokens: 429 with Retry-After, and says in every answer how much is left.

Of several limits all are checked before any is spent. What counts is this worker's share. Fields: RateLimit and
RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers; q, r in tokens, w, t in seconds until the bucket is full.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.exchange import Exchange, Reply
from gateway.limits.token_bucket import TokenBuckets
from gateway.plan import Parts, RequestFilter
from meshway.model.rate_limit import RateLimit

KeyOf = Callable[[Exchange], str | None]


class Limit:
    """One RateLimit at one of its targets, shared by all plans it applies to. would_refuse: counted in audit mode."""

    __slots__ = ("_fields", "buckets", "name", "policy", "would_refuse")

    def __init__(self, name: str, policy: RateLimit, workers: int) -> None:
        bucket = policy.token_bucket
        burst = float(bucket.burst) if bucket.burst is not None else max(float(bucket.rate), 1.0)
        self.name = name
        self.policy = policy
        self.buckets = TokenBuckets(float(bucket.rate), burst, policy.max_keys, workers)
        self.would_refuse = 0
        quoted = b'"%b"' % name.encode()
        window_s = math.ceil(burst / float(bucket.rate))
        self._fields = b"RateLimit-Policy: %b;q=%d;w=%d\r\nRateLimit: %b;r=" % (quoted, int(burst), window_s, quoted)

    def fields(self, full_in_s: float) -> bytes:
        """The two fields of an answer, or b"" when the policy wants none. full_in_s: of the caller's bucket."""
        if not self.policy.response.headers:
            return b""
        buckets = self.buckets
        # The grain keeps a bucket with exactly n tokens from being shown as n - 1.
        left = int(buckets.burst - full_in_s * buckets.rate + 1e-6)
        return b"%b%d;t=%d\r\n" % (self._fields, left, math.ceil(full_in_s))


@dataclass(slots=True, frozen=True)
class AppliedLimit:
    """A limit in one rule. key_of gives None when a part is missing and the policy does not say `shared`."""

    limit: Limit
    key_of: KeyOf


def compile_filter(limits: Sequence[AppliedLimit], parts: Parts) -> RequestFilter:
    now_of, random = parts.now, parts.random
    if len(limits) == 1 and limits[0].limit.policy.mode == "enforce":
        return _compile_one(limits[0], parts)

    def rate_limits(exchange: Exchange) -> Reply | None:
        now = now_of()
        admitted: list[tuple[Limit, str]] = []
        for applied in limits:
            limit, key = applied.limit, applied.key_of(exchange)
            if key is None:
                if limit.policy.on_missing_key == "skip":
                    continue
                wait_s = math.inf
            else:
                wait_s = limit.buckets.wait_s(key, now)
            if wait_s == 0.0 and key is not None:
                admitted.append((limit, key))
            elif limit.policy.mode == "audit":
                limit.would_refuse += 1
            else:
                return _refusal(limit, key, wait_s, now, random)
        for limit, key in admitted:
            limit.buckets.spend(key, now)
        # The tightest first: whoever reads one pair only reads the one that will stop him.
        admitted.sort(key=lambda pair: pair[0].buckets.tokens(pair[1], now))
        for limit, key in admitted:
            if limit.policy.mode == "enforce":
                exchange.added += limit.fields(limit.buckets.full_in_s(key, now))
        return None

    return rate_limits


def _compile_one(applied: AppliedLimit, parts: Parts) -> RequestFilter:
    limit, key_of, now_of, random = applied.limit, applied.key_of, parts.now, parts.random
    buckets, skips = limit.buckets, limit.policy.on_missing_key == "skip"

    def rate_limit(exchange: Exchange) -> Reply | None:
        key = key_of(exchange)
        if key is None:
            return None if skips else _refusal(limit, None, math.inf, 0.0, random)
        now = now_of()
        full_in_s = buckets.take(key, now)
        if full_in_s < 0.0:
            return _refusal(limit, key, -full_in_s, now, random)
        exchange.added += limit.fields(full_in_s)
        return None

    return rate_limit


def _refusal(limit: Limit, key: str | None, wait_s: float, now: float, random: Callable[[], float]) -> Reply:
    response = limit.policy.response
    if key is None:
        return Reply(response.status, "rate_limited", "RL", f"rate limit {limit.name} counts by what this call lacks")
    fields = b""
    if response.headers:
        # Up to a tenth later, so that all who were refused together do not come back together.
        retry_after_s = math.ceil(wait_s * (1.0 + 0.1 * random()))
        fields = b"Retry-After: %d\r\n%b" % (max(retry_after_s, 1), limit.fields(limit.buckets.full_in_s(key, now)))
    return Reply(response.status, "rate_limited", "RL", f"rate limit {limit.name} is spent for now", fields=fields)

"""Token buckets by key: tokens = min(burst, tokens + elapsed * rate); a call is admitted when there is one for it.

Held as the time at which a bucket will be full again (the virtual schedule of GCRA, ITU-T I.371): one float a key, no
drift, never negative, and a key that was dropped is a full bucket, as a new one is.
"""

from collections import OrderedDict
from collections.abc import Iterable
from math import inf
from typing import Final

# A call that comes exactly when its token does must not be refused for the last bit of a float.
_GRAIN_S: Final = 1e-9


class TokenBuckets:
    """rate: tokens a second; burst: most tokens. max_keys: above it the least recently used key is dropped (dropped).

    workers: live workers among whom rate and burst are divided. A share of the burst is at least `least` tokens, what
    one call takes, or none could ever pass.
    """

    __slots__ = (
        "_burst",
        "_full_at",
        "_least",
        "_max_keys",
        "_rate",
        "burst",
        "burst_s",
        "dropped",
        "per_token_s",
        "rate",
    )

    def __init__(self, rate: float, burst: float, max_keys: int = 100_000, workers: int = 1, least: int = 1) -> None:
        self._rate = rate
        self._least = float(least)
        self._burst = burst
        self._max_keys = max_keys
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self.dropped = 0
        self.share(workers)

    def share(self, workers: int) -> None:
        self.rate = self._rate / max(workers, 1)
        self.burst = max(self._burst / max(workers, 1), self._least)
        self.per_token_s = 1.0 / self.rate
        self.burst_s = self.burst * self.per_token_s

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        """0 when a call would be admitted now, else the seconds until its tokens are there. Takes nothing.

        ahead: tokens that others get before it.
        """
        if cost > self.burst:
            return inf
        full_at = self._full_at.get(key, now)
        wait_s = (full_at - now if full_at > now else 0.0) + self.per_token_s * (ahead + cost) - self.burst_s
        return wait_s if wait_s > _GRAIN_S else 0.0

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        """Takes tokens. What is not there yet is owed: the bucket will be full so much later."""
        full_at = self._full_at
        was = full_at.get(key)
        if was is None:
            full_at[key] = now + self.per_token_s * cost
            if len(full_at) > self._max_keys:
                full_at.popitem(last=False)
                self.dropped += 1
            return
        full_at[key] = (was if was > now else now) + self.per_token_s * cost
        full_at.move_to_end(key)

    def take(self, key: str, now: float) -> float:
        """A token is spent: the seconds until the bucket is full again. None is: the seconds to wait, below zero.

        `wait_s` and `spend` in one step, for the call that has one limit.
        """
        buckets = self._full_at
        full_at = buckets.get(key)
        if full_at is None:
            self.spend(key, now)
            return self.per_token_s
        full_in_s = (full_at - now if full_at > now else 0.0) + self.per_token_s
        if full_in_s - self.burst_s > _GRAIN_S:
            return self.burst_s - full_in_s
        buckets[key] = now + full_in_s
        buckets.move_to_end(key)
        return full_in_s

    def left(self, key: str, now: float) -> float:
        """Tokens, 0 to burst."""
        return max(0.0, self.burst - self.reset_s(key, now) * self.rate)

    def reset_s(self, key: str, now: float) -> float:
        full_at = self._full_at.get(key, now)
        return full_at - now if full_at > now else 0.0

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """Keys whose bucket is not full, with the time at which it will be; the used last come last."""
        return [(key, [full_at]) for key, full_at in self._full_at.items() if full_at > now]

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        """What another worker, whose place this one takes, has spent; as if it had been spent here."""
        for key, (full_at,) in spent:
            self._full_at[key] = min(full_at + self.reset_s(key, now), now + self.burst_s)
            self._full_at.move_to_end(key)
        while len(self._full_at) > self._max_keys:
            self._full_at.popitem(last=False)
            self.dropped += 1

    @property
    def keys(self) -> int:
        return len(self._full_at)

"""One RateLimit as rules apply it: what it counts by, who waits for it, and what it tells in an answer.

Fields: RateLimit and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers; q, r in calls, w, t in seconds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.exchange import Exchange
from gateway.limits.algorithm import Algorithm
from gateway.limits.assigned import ANSWER_S, Assigned
from gateway.limits.line import Line
from gateway.limits.sliding_window import SlidingWindows
from gateway.limits.token_bucket import TokenBuckets
from gateway.plan import Parts
from meshway.assignments.messages import Budget
from meshway.model.rate_limit import RateLimit

QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"
_FINEST: Final = 60  # segments

KeyOf = Callable[[Exchange], str | None]


class Limit:
    """One RateLimit at one of its targets, shared by all plans it applies to.

    policy: the document. name: as the fields of an answer have it; title: as people are told, `namespace/name`.
    counts: what it counts by. line: of those who wait; None: whoever is above it is refused. would_refuse: counted in
    audit mode. members: of the problem document of a refusal, as the draft has it (§ quota exceeded).
    """

    __slots__ = ("_fields", "counts", "line", "members", "name", "policy", "title", "would_refuse")

    def __init__(self, name: str, policy: RateLimit, parts: Parts, title: str = "", place: str = "") -> None:
        self.name = name
        self.title = title or name
        self.policy = policy
        self.members = {"type": QUOTA_EXCEEDED, "violated-policies": [name]}
        self.would_refuse = 0
        self.counts: Algorithm
        self.line: Line | None = None
        desk, waits_s = parts.desks.get(policy.scope), float(policy.max_wait)
        if desk is not None:
            self.counts = assigned = Assigned(
                budget_of(policy, f"{self.title}@{place}"),
                desk,
                local_counts(policy, parts.workers),
                parts.advancing,
                max_keys=policy.max_keys,
                on_failure=policy.on_store_failure,
                patience_s=waits_s,
                max_queue=policy.max_queue,
            )
            if policy.mode == "enforce":
                self.line = assigned.line
        else:
            self.counts = local_counts(policy, parts.workers)
            if waits_s and policy.mode == "enforce":
                self.line = Line(self.counts, waits_s, policy.max_queue, parts.advancing)
        quoted, (quota, window_s) = b'"%b"' % name.encode(), quota_of(policy)
        self._fields = b"RateLimit-Policy: %b;q=%d;w=%d\r\nRateLimit: %b;r=" % (quoted, quota, window_s, quoted)

    def fields(self, left: float, reset_s: float) -> bytes:
        """The two fields of an answer, or b"" when the policy wants none."""
        if not self.policy.response.headers:
            return b""
        # The grain keeps a bucket with exactly n tokens from being shown as n - 1.
        return b"%b%d;t=%d\r\n" % (self._fields, int(left + 1e-6), math.ceil(reset_s))

    def fields_now(self, key: str, now: float) -> bytes:
        counts = self.counts
        if isinstance(counts, Assigned):
            return self.fields(*counts.stand(key, now))
        return self.fields(counts.left(key, now), counts.reset_s(key, now))

    @property
    def unavailable(self) -> str:
        """Why nobody may pass now, "" = the count decides."""
        return self.counts.unavailable if isinstance(self.counts, Assigned) else ""

    def tallies(self) -> tuple[int, ...]:
        """Since it began: calls it would have refused, calls decided without the others, and ahead of an answer; keys
        that were dropped."""
        counts = self.counts
        fallbacks, late = (counts.fallbacks, counts.late) if isinstance(counts, Assigned) else (0, 0)
        return self.would_refuse, fallbacks, late, counts.dropped

    def is_unsure(self, wait_s: float) -> bool:
        """Whether it is not a refusal but an answer that is waited for."""
        return isinstance(self.counts, Assigned) and wait_s <= ANSWER_S

    def has_room(self, key: str, wait_s: float) -> bool:
        """Whether a call that must wait so long may stand in line."""
        line = self.line
        return line is not None and wait_s <= line.patience_s and line.count(key) < line.most


@dataclass(slots=True, frozen=True)
class AppliedLimit:
    """A limit in one rule. key_of gives None when a part is missing and the policy does not say `shared`."""

    limit: Limit
    key_of: KeyOf


def local_counts(policy: RateLimit, workers: int) -> Algorithm:
    """A worker's own count, of its share among so many."""
    window = policy.sliding_window
    if window is not None:
        return SlidingWindows(
            window.limit,
            float(window.window),
            window.segments,
            exact=window.exact,
            max_keys=policy.max_keys,
            workers=workers,
        )
    bucket = policy.token_bucket
    assert bucket is not None, "the rules of the model want one algorithm"
    return TokenBuckets(float(bucket.rate), float(quota_of(policy)[0]), policy.max_keys, workers)


def budget_of(policy: RateLimit, identity: str) -> Budget:
    """What is shared. Of an exact window the moments are not, so it is counted as finely as a window can be."""
    limit, _ = quota_of(policy)
    window = policy.sliding_window
    if window is not None:
        segments = _FINEST if window.exact else window.segments
        seconds = float(window.window)
        return Budget(id=identity, limit=limit, rate=limit / seconds, window_s=seconds, segments=segments)
    bucket = policy.token_bucket
    assert bucket is not None, "the rules of the model want one algorithm"
    return Budget(id=identity, limit=limit, rate=float(bucket.rate))


def quota_of(policy: RateLimit) -> tuple[int, int]:
    """Most calls at once, and the seconds after which so many may come again."""
    window = policy.sliding_window
    if window is not None:
        return window.limit, math.ceil(window.window)
    bucket = policy.token_bucket
    assert bucket is not None, "the rules of the model want one algorithm"
    burst = bucket.burst if bucket.burst is not None else max(int(bucket.rate), 1)
    return burst, math.ceil(burst / float(bucket.rate))

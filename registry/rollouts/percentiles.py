"""Whether a percentile of one set of durations is above that of another, asked while they come. Pure.

After Howard and Ramdas 2022 (sequential estimation of quantiles): a percentile q of durations is where the share above
it becomes 1 - p, so a claim on q is one on a share of calls, and `shares.py` judges it at any time. That the canary's
percentile is at most `ratio` times the control's means: at x, the control's percentile, the control has a share of at
least 1 - p at or above x, and the canary one of at most 1 - p above ratio times x. x is not known; the claim is refuted
when at every x one of the two is, by the product of both evidences. Durations are known by buckets: within one the
count is taken that says less.
"""

from __future__ import annotations

from math import exp, inf, log, log1p
from typing import TYPE_CHECKING, Final

from meshway.histogram import BUCKETS, bucket_of, lower_bound, middle, upper_bound
from registry.rollouts.shares import Count, evidence_above, evidence_below

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARE: Final = 0.99
_ABOVE: Final = 1.0 - SHARE
_HALVINGS: Final = 14
_MOST_RATIO: Final = 1_000.0
_HALF: Final = log(0.5)


class Durations:
    """By the bucket: how strongly the calls speak for the percentile to lie above it, and below it."""

    def __init__(self, buckets: Mapping[int, int]) -> None:
        self.calls = sum(buckets.values())
        self._buckets = buckets
        self.above: list[float] = []
        self.below: list[float] = []
        seen, known = 0, _evidences(0, self.calls)
        for bucket in range(BUCKETS):
            # Above a bucket: all of it counts as at most its end. Below it: none of it does.
            below = known[1]
            if count := buckets.get(bucket, 0):
                seen += count
                known = _evidences(seen, self.calls)
            self.above.append(known[0])
            self.below.append(below)

    @property
    def percentile_s(self) -> float | None:
        """None: nothing was counted."""
        if not self.calls:
            return None
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= SHARE * self.calls:
                return middle(bucket)
        return middle(max(self._buckets))

    def interval(self, needed: float) -> tuple[float, float | None]:
        """Seconds between which the percentile lies, where the evidence against each end is `needed`; None: no end."""
        low, high = 0.0, None
        for bucket in range(BUCKETS):
            if self.above[bucket] >= needed:
                low = upper_bound(bucket)
            if self.below[bucket] >= needed:
                high = lower_bound(bucket)
                break
        return low, high


def evidence_above_ratio(canary: Durations, control: Durations, ratio: float) -> float:
    """Against: the canary's percentile is at most `ratio` times the control's."""
    least = inf
    for bucket in range(BUCKETS):
        reached = min(bucket_of(ratio * upper_bound(bucket)), BUCKETS - 1)
        least = min(least, control.below[bucket] + canary.above[reached])
    return least


def ratio_interval(canary: Durations, control: Durations, needed: float) -> tuple[float, float | None]:
    """Between which the canary's percentile is, times the control's. None: no end."""
    low = _largest_refuted(canary, control, needed)
    inverse = _largest_refuted(control, canary, needed)
    return low, 1.0 / inverse if inverse else None


def _largest_refuted(of: Durations, to: Durations, needed: float) -> float:
    """The largest ratio of which it is refuted that the percentile is at most so much; 0.0: none is."""
    low, high = -log(_MOST_RATIO), log(_MOST_RATIO)
    if evidence_above_ratio(of, to, exp(low)) < needed:
        return 0.0
    for _ in range(_HALVINGS):
        between = (low + high) / 2.0
        if evidence_above_ratio(of, to, exp(between)) >= needed:
            low = between
        else:
            high = between
    return exp(low)


def _evidences(at_most: int, calls: int) -> tuple[float, float]:
    """That more than 1 - p lie above, and that fewer do, where `at_most` calls do not. Half is never bet, so that one
    of the two that knows nothing costs the other no more than a bit."""
    count = Count(calls - at_most, calls)
    return _half_bet(evidence_above(_ABOVE, count)), _half_bet(evidence_below(_ABOVE, count))


def _half_bet(evidence: float) -> float:
    """log((1 + e^evidence) / 2)."""
    return _HALF + (evidence + log1p(exp(-evidence)) if evidence > 0.0 else log1p(exp(evidence)))

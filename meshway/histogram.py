"""Log-linear histograms of durations: 16 linear steps per power of two, so any quantile is known within 4 %.

Buckets are plain cells of a counter block; this module says which cell a duration falls into and reads quantiles back.
Range 1 µs to 134 s, what lies outside goes to the first or last bucket. After HdrHistogram (Tene) and OpenTelemetry's
base-2 exponential histogram.
"""

from collections.abc import Sequence
from math import frexp
from typing import Final

STEPS: Final = 16
_MIN_EXPONENT: Final = -19  # frexp's: 2**-20 s, about 1 µs
_MAX_EXPONENT: Final = 7  # up to 2**7 = 128 s
BUCKETS: Final = (_MAX_EXPONENT - _MIN_EXPONENT + 1) * STEPS
_LAST: Final = BUCKETS - 1


def bucket_of(seconds: float) -> int:
    mantissa, exponent = frexp(seconds)
    if mantissa <= 0.0:
        return 0
    bucket = (exponent - _MIN_EXPONENT) * STEPS + int(mantissa * 32.0) - STEPS  # mantissa: 0.5 to 1
    if 0 <= bucket <= _LAST:
        return bucket
    return 0 if bucket < 0 else _LAST


def upper_bound(bucket: int) -> float:
    """Seconds; durations in the bucket are below it."""
    octave, step = divmod(bucket, STEPS)
    return float((STEPS + step + 1) / 32.0 * 2.0 ** (octave + _MIN_EXPONENT))


def lower_bound(bucket: int) -> float:
    return 0.0 if bucket == 0 else upper_bound(bucket - 1)


def middle(bucket: int) -> float:
    """Seconds that durations in the bucket are told as."""
    return (lower_bound(bucket) + upper_bound(bucket)) / 2.0


def quantile(counts: Sequence[float], share: float) -> float:
    """Seconds below which `share` (0 to 1) of the counted durations lie; 0.0 when nothing was counted."""
    total = sum(counts)
    if not total:
        return 0.0
    wanted, seen = share * total, 0.0
    for bucket, count in enumerate(counts):
        seen += count
        if count and seen >= wanted:
            return middle(bucket)
    return upper_bound(_LAST)


def cumulative(counts: Sequence[float], bounds: Sequence[float]) -> list[float]:
    """How many durations lie at or below each bound (ascending seconds), as a Prometheus histogram wants it.

    A bucket that straddles a bound counts below it by the share that lies there.
    """
    sums = []
    below, bucket = 0.0, 0
    for bound in bounds:
        while bucket < len(counts) and upper_bound(bucket) <= bound:
            below += counts[bucket]
            bucket += 1
        part = 0.0
        if bucket < len(counts) and counts[bucket]:
            low, high = lower_bound(bucket), upper_bound(bucket)
            part = counts[bucket] * max(0.0, (bound - low) / (high - low))
        sums.append(float(round(below + part)))
    return sums

"""What people read of rows of numbers: rates, shares, percentiles; and by how much two of them differ. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

if TYPE_CHECKING:
    from meshway.telemetry import Row

Metric = Literal[
    "calls", "rps", "error_share", "rejected_share", "p50_ms", "p95_ms", "p99_ms", "mean_ms", "in_bps", "out_bps",
    "retries",
]  # fmt: skip
METRICS: Final[tuple[Metric, ...]] = get_args(Metric)
_SHARES: Final = (0.5, 0.95, 0.99)
_SURE: Final = 1.959964  # of a normal distribution: 95 % lie within


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """error_share: of calls, 0 to 1, answered 500 and above, or not at all; rejected_share: 400 to 499. in_bps,
    out_bps: bytes of bodies a second. retries: attempts after the first."""

    calls: int
    rps: float
    error_share: float
    rejected_share: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    in_bps: float
    out_bps: float
    retries: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Of error shares, the second less the first, and between what it lies with 95 % certainty. is_certain: 0 is not
    among it. p95_ratio: of 95th percentiles; null where the first has none."""

    error_share: float
    low: float
    high: float
    is_certain: bool
    p95_ratio: float | None


def figures_of(row: Row, span_s: float) -> Figures:
    """span_s: seconds that the row is of."""
    p50_s, p95_s, p99_s = row.quantiles_s(_SHARES)
    return Figures(
        calls=row.calls,
        rps=_short(row.calls / span_s),
        error_share=_share(row.failed, row.calls),
        rejected_share=_share(row.rejected, row.calls),
        p50_ms=_ms(p50_s),
        p95_ms=_ms(p95_s),
        p99_ms=_ms(p99_s),
        mean_ms=_ms(row.seconds / row.calls) if row.calls else 0.0,
        in_bps=_short(row.bytes_in / span_s),
        out_bps=_short(row.bytes_out / span_s),
        retries=row.retries,
    )


def figure_of(row: Row, metric: Metric, span_s: float) -> float | None:
    """One of them; None where there were no calls to tell it by."""
    match metric:
        case "calls":
            return row.calls
        case "retries":
            return row.retries
        case "rps":
            return _short(row.calls / span_s)
        case "in_bps":
            return _short(row.bytes_in / span_s)
        case "out_bps":
            return _short(row.bytes_out / span_s)
    if not row.calls:
        return None
    match metric:
        case "error_share":
            return _share(row.failed, row.calls)
        case "rejected_share":
            return _share(row.rejected, row.calls)
        case "mean_ms":
            return _ms(row.seconds / row.calls)
    return _ms(row.quantile_s({"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}[metric]))


def difference_of(first: Row, second: Row) -> Difference:
    """The interval is Agresti's and Caffo's (The American Statistician 54, 2000): one more call of each outcome on
    both sides, which holds for few calls and for shares near 0 as well."""
    shares, variance = [], 0.0
    for row in (first, second):
        calls = row.calls + 2
        share = (row.failed + 1) / calls
        shares.append(share)
        variance += share * (1 - share) / calls
    middle, reach = shares[1] - shares[0], _SURE * math.sqrt(variance)
    before = first.quantile_s(0.95)
    return Difference(
        error_share=_share(second.failed, second.calls) - _share(first.failed, first.calls),
        low=_short(middle - reach),
        high=_short(middle + reach),
        is_certain=abs(middle) > reach,
        p95_ratio=_short(second.quantile_s(0.95) / before) if before and second.calls else None,
    )


def _share(part: int, whole: int) -> float:
    return _short(part / whole) if whole else 0.0


def _ms(seconds: float) -> float:
    return _short(seconds * 1_000.0)


def _short(value: float) -> float:
    """Four digits that count: no number here is known better."""
    return float(f"{value:.4g}")

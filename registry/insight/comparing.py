"""Two spans of the same calls, or versions of a service over the same span, side by side. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from meshway.telemetry import Key, Row, Rows, summed
from registry.insight.figures import Difference, Figures, difference_of, figures_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_EDGES: Final = 500


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Of one service. figures: of each version, in the order asked. difference: of the second to the first."""

    service: str
    first: float
    end: float
    versions: list[str]
    figures: list[Figures]
    difference: Difference


class EdgeChange(msgspec.Struct, frozen=True, kw_only=True):
    """result: whether there were calls in both spans. before, now: null where there were none."""

    source: str
    target: str
    result: Literal["added", "gone", "stayed"]
    before: Figures | None
    now: Figures | None
    difference: Difference | None


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """before_first, first: of the two spans, seconds since 1970; both last span_s. edges: what differs most first.
    left_out: edges that are not told."""

    before_first: float
    first: float
    span_s: float
    before: Figures
    now: Figures
    difference: Difference
    edges: list[EdgeChange]
    left_out: int = 0


def versions_of(
    rows: Rows, service: str, versions: Sequence[str], *, first: float, end: float, span_s: float
) -> Versions:
    """rows: of instances, by service, instance, version. Durations are those until the first byte."""
    of = [summed(row for key, row in rows.items() if key[0] == service and key[2] == version) for version in versions]
    return Versions(
        service=service,
        first=first,
        end=end,
        versions=list(versions),
        figures=[figures_of(row, span_s) for row in of],
        difference=difference_of(of[0], of[1]),
    )


def spans_of(before: Rows, now: Rows, *, before_first: float, first: float, span_s: float) -> Spans:
    """Rows of edges, of two spans of the same length."""
    changes = [_change(key, before.get(key), now.get(key), span_s) for key in sorted(before.keys() | now.keys())]
    changes.sort(key=_weight, reverse=True)
    all_before, all_now = summed(before.values()), summed(now.values())
    return Spans(
        before_first=before_first,
        first=first,
        span_s=span_s,
        before=figures_of(all_before, span_s),
        now=figures_of(all_now, span_s),
        difference=difference_of(all_before, all_now),
        edges=changes[:MOST_EDGES],
        left_out=max(len(changes) - MOST_EDGES, 0),
    )


def _change(key: Key, before: Row | None, now: Row | None, span_s: float) -> EdgeChange:
    result: Literal["added", "gone", "stayed"] = "stayed"
    if before is None or not before.calls:
        result, before = "added", None
    if now is None or not now.calls:
        result, now = "gone", None
    return EdgeChange(
        source=key[0],
        target=key[1],
        result=result,
        before=None if before is None else figures_of(before, span_s),
        now=None if now is None else figures_of(now, span_s),
        difference=None if before is None or now is None else difference_of(before, now),
    )


def _weight(change: EdgeChange) -> tuple[bool, float, float]:
    """Edges that came or went first, then by how far their failures and latencies moved."""
    if change.difference is None:
        return True, 0.0, max(each.rps for each in (change.before, change.now) if each is not None)
    ratio = change.difference.p95_ratio or 1.0
    return False, abs(change.difference.error_share), max(ratio, 1.0 / ratio if ratio else 1.0)

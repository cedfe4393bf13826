"""The verdict on a step: the canary's failures and p99 against its control's, at any time. Pure.

The chance that a canary which is no worse is ever taken for one that is, in all of a Rollout, is shared out among its
steps and both measures, so that it stays below what `confidence_percent` leaves however often one looks.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from meshway.model.rollout_state import Arm, Measure, Measures, Verdict
from registry.rollouts.percentiles import Durations, evidence_above_ratio, ratio_interval
from registry.rollouts.shares import Count, difference_interval, evidence_of_difference, share_interval

if TYPE_CHECKING:
    from meshway.model.rollout import Judge
    from meshway.telemetry import Row

_MEASURES: Final = 2
_WORST_FIRST: Final[tuple[Verdict, ...]] = ("worse", "not_enough_data", "same", "better")


def needed_evidence(judge: Judge, steps: int) -> float:
    """Of each measure in each step, in natural logarithms."""
    return -log((1.0 - judge.confidence_percent / 100.0) / (_MEASURES * steps))


def judged(judge: Judge, steps: int, canary: Row, control: Row, all_calls: int) -> Measures:
    """steps: of the Rollout. canary, control: calls since the step began. all_calls: of the rule, since then."""
    needed = needed_evidence(judge, steps)
    is_enough = min(canary.calls, control.calls) >= judge.minimum_requests
    times = Durations(canary.buckets), Durations(control.buckets)
    failures = _failures(judge, canary, control, needed, is_enough=is_enough)
    p99 = _p99(judge, *times, needed, is_enough=is_enough)
    worst = min((failures, p99), key=lambda measure: _WORST_FIRST.index(measure.verdict))
    return Measures(
        verdict=worst.verdict,
        reason=_reason(judge, canary, control, failures, p99, worst),
        measured_percent=100.0 * canary.calls / all_calls if all_calls else None,
        canary=_arm(canary, times[0], needed),
        control=_arm(control, times[1], needed),
        measures=(failures, p99),
    )


def _failures(judge: Judge, canary: Row, control: Row, needed: float, *, is_enough: bool) -> Measure:
    of, to = Count(canary.failed, canary.calls), Count(control.failed, control.calls)
    if not (of.calls and to.calls):
        return Measure(name="failures", allowed=judge.failure_percent_increase, needed=needed)
    margin = judge.failure_percent_increase / 100.0
    evidence = evidence_of_difference(of, to, margin)
    low, high = difference_interval(of, to, needed)
    return Measure(
        name="failures",
        verdict=_verdict(is_worse=evidence >= needed, is_better=high < 0.0, is_enough=is_enough),
        difference=100.0 * (of.share - to.share),
        low=100.0 * low,
        high=100.0 * high,
        allowed=judge.failure_percent_increase,
        evidence=max(evidence, 0.0),
        needed=needed,
    )


def _p99(judge: Judge, canary: Durations, control: Durations, needed: float, *, is_enough: bool) -> Measure:
    of, to = canary.percentile_s, control.percentile_s
    if of is None or to is None:
        return Measure(name="p99", allowed=judge.p99_increase_percent, needed=needed)
    evidence = evidence_above_ratio(canary, control, 1.0 + judge.p99_increase_percent / 100.0)
    low, high = ratio_interval(canary, control, needed)
    return Measure(
        name="p99",
        verdict=_verdict(is_worse=evidence >= needed, is_better=high is not None and high < 1.0, is_enough=is_enough),
        difference=100.0 * (of / to - 1.0),
        low=100.0 * (low - 1.0) if low else None,
        high=None if high is None else 100.0 * (high - 1.0),
        allowed=judge.p99_increase_percent,
        evidence=max(evidence, 0.0),
        needed=needed,
    )


def _verdict(*, is_worse: bool, is_better: bool, is_enough: bool) -> Verdict:
    if not is_enough:
        return "not_enough_data"
    return "worse" if is_worse else "better" if is_better else "same"


def _arm(row: Row, times: Durations, needed: float) -> Arm:
    if not row.calls:
        return Arm()
    count = Count(row.failed, row.calls)
    low, high = share_interval(count, needed)
    p99, ends = times.percentile_s, times.interval(needed)
    return Arm(
        calls=row.calls,
        failed=row.failed,
        failure_percent=100.0 * count.share,
        failure_low=100.0 * low,
        failure_high=100.0 * high,
        p99_ms=None if p99 is None else 1000.0 * p99,
        p99_low=1000.0 * ends[0],
        p99_high=None if ends[1] is None else 1000.0 * ends[1],
    )


def _reason(judge: Judge, canary: Row, control: Row, failures: Measure, p99: Measure, worst: Measure) -> str:
    if worst.verdict == "not_enough_data":
        of, to = canary.calls, control.calls
        return f"{of} calls of the canary and {to} of its control, {judge.minimum_requests} of each are needed"
    return f"{_failures_text(canary, control, failures)}; {_p99_text(p99)}"


def _failures_text(canary: Row, control: Row, measure: Measure) -> str:
    of, to = (100.0 * row.failed / row.calls for row in (canary, control))
    return (
        f"failures {of:.2g} %, control {to:.2g} %, difference {_span(measure, 'points')}, "
        f"allowed +{measure.allowed:g} points"
    )


def _p99_text(measure: Measure) -> str:
    return f"p99 {_span(measure, '%')}, allowed +{measure.allowed:g} %"


def _span(measure: Measure, unit: str) -> str:
    ends = ["…" if end is None else f"{end:+.1f}" for end in (measure.low, measure.high)]
    return f"{measure.difference or 0.0:+.1f} [{ends[0]}, {ends[1]}] {unit}"

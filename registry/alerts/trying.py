"""When a rule would have fired over the last day, by the numbers that are kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.alert_query import CALL_VALUES
from meshway.problem import Problem, soon
from meshway.telemetry import Row
from registry.alerts.episodes import Look, next_of
from registry.alerts.judging import asked_of, found, measured
from registry.alerts.looking import measure_of
from registry.alerts.windows import Asked, Counted, Tally, sorting, tallied
from registry.insight.rolling import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshway.model.alert_query import Query
    from registry.alerts.records import AlertState
    from registry.alerts.rules import AlertRule
    from registry.insight.reading import Reading

SPAN_S: Final = 86_400.0
MOST_TOLD: Final = 1_000
MOST_AT_ONCE: Final = 4  # one is tried, the others wait
# Of minutes of all that is counted apart, held at once; with their histograms where percentiles are asked.
MOST_ROWS: Final = 200_000
MOST_HISTOGRAMS: Final = 60_000


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """When it would have fired. Times: seconds since 1970; resolved_at None: it would fire now. value: the farthest
    from its bound."""

    labels: dict[str, str]
    active_at: float
    fired_at: float
    resolved_at: float | None
    value: float
    summary: str


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """first, end: of what was looked at, every minute, or every tenth of a longer span. left_out: times beyond the most
    that are told."""

    first: float
    end: float
    fired: list[Fired]
    left_out: int = 0


class Trying:
    def __init__(self, reading: Reading, wall: Callable[[], float]) -> None:
        self._reading = reading
        self._wall = wall
        self._turn = asyncio.Lock()
        self._trying = 0

    async def tried(self, rule: AlertRule) -> Tried:
        """Raises StoreUnavailable, and Problem 422 for what nothing is kept of over time, 503 while others try."""
        _refuse_states(rule.query)
        if self._trying >= MOST_AT_ONCE:
            detail = f"{MOST_AT_ONCE} rules are being tried already"
            raise Problem(503, "busy", "Busy", detail=detail, headers=soon())
        self._trying += 1
        try:
            return await self._tried(rule)
        finally:
            self._trying -= 1

    async def _tried(self, rule: AlertRule) -> Tried:
        async with self._turn:  # each holds a day's minutes
            end = int(self._wall()) // MINUTE_S * MINUTE_S
            back_s = max(condition.back_s + condition.over_s for condition in rule.query.conditions)
            first = max(end - SPAN_S, end - self._reading.kept_s()[MINUTE_S] + back_s + 2 * MINUTE_S)
            if first >= end:
                reason = f"numbers are kept by the minute for {self._reading.kept_s()[MINUTE_S] / 3_600:g} h"
                raise Problem(422, "not_kept", "Not kept", detail=f"spec.query looks back farther than that: {reason}")
            wanted = {
                asked._replace(back_s=0.0)
                for condition in rule.query.conditions
                for asked in asked_of(condition, rule.rule.namespace)
            }
            values = {value for condition in rule.query.conditions for value in condition.values}
            has_histograms = any(value.startswith("p") for value in values)
            minutes = {
                asked: await self._minutes(asked, first - back_s, end, has_histograms) for asked in sorted(wanted)
            }
            return await asyncio.to_thread(replayed, rule, minutes, int(first), end)

    async def _minutes(self, asked: Asked, first: float, end: int, has_histograms: bool) -> dict[int, list[Row]]:
        """What is counted together, by the begin of its minute."""
        sort = sorting(asked, lambda _: "")
        found: dict[int, dict[tuple[str, ...], Row]] = {}
        room = MOST_HISTOGRAMS if has_histograms else MOST_ROWS

        def take(at: int, rows: Sequence[Row]) -> None:
            nonlocal room
            minute = found.setdefault(at // MINUTE_S * MINUTE_S, {})
            for row in rows:
                if (key := sort(row.key)) is not None:
                    known = minute.get(key)
                    if known is None:
                        known = minute[key] = Row(key)
                        room -= 1
                    known.add(row if has_histograms else _without_histogram(row))
            if room < 0:
                raise _too_many()

        await self._reading.each(asked.section, first, end, MINUTE_S, take)
        return {at: list(rows.values()) for at, rows in found.items()}


def _without_histogram(row: Row) -> Row:
    return Row(row.key, row.calls, row.failed, row.rejected, row.retries)


def _too_many() -> Problem:
    detail = "a day of so many services is too much to try a rule on"
    return Problem(422, "too_much", "Too much", detail=detail, mend="name some of them in place of *")


def _refuse_states(query: Query) -> None:
    for condition in query.conditions:
        for value in condition.values:
            if value not in CALL_VALUES:
                detail = f"{value} is what is so now: nothing is kept of it to try a rule on"
                mend = f"try what is of calls: {', '.join(CALL_VALUES)}"
                raise Problem(422, "not_kept", "Not kept", detail=detail, mend=mend)
        if "zone" in {each.name for each in condition.filters}:
            detail = "in which zone an instance was is not kept: only where it is now"
            raise Problem(422, "not_kept", "Not kept", detail=detail)


def replayed(rule: AlertRule, minutes: Mapping[Asked, Mapping[int, Sequence[Row]]], first: int, end: int) -> Tried:
    """For a thread."""
    live: dict[str, AlertState] = {}
    worst: dict[str, float] = {}
    fired: list[Fired] = []
    measure = measure_of(rule.query.conditions[0])
    upwards = rule.query.conditions[0].op in (">", ">=")
    longest_s = max(condition.over_s for condition in rule.query.conditions)
    # A tenth of the longest span: what it tells hardly changes within.
    step_s = max(int(longest_s / 10) // MINUTE_S * MINUTE_S, MINUTE_S)
    for now in range(first, end + 1, step_s):
        spans: dict[Asked, Counted] = {}

        def count(asked: Asked, spans: dict[Asked, Counted] = spans, now: int = now) -> Counted:
            if asked not in spans:
                spans[asked] = _span(minutes[asked._replace(back_s=0.0)], asked, now)
            return spans[asked]

        tables = [
            measured(condition, rule.rule.namespace, rule.spec.minimum_requests, count, lambda *_: ())
            for condition in rule.query.conditions
        ]
        findings = found(rule.query, rule.rule.namespace, tables)
        looks = {
            look.fingerprint: look
            for look in (
                Look(rule=rule.rule, labels=each.labels, value=each.value, holds=each.holds, measure=measure)
                for each in findings
            )
        }
        for name in looks.keys() | live.keys():
            before = live.pop(name, None)
            look = looks.get(name)
            if look is None:
                assert before is not None
                labels = {label: value for label, value in before.labels.items() if label not in rule.rule.labels}
                look = Look(rule=rule.rule, labels=labels, value=None, holds=None)
            state = next_of(before, look, float(now))
            if state is None:
                worst.pop(name, None)
                continue
            if look.holds and look.value is not None:
                known = worst.get(name, look.value)
                worst[name] = max(known, look.value) if upwards else min(known, look.value)
            if state.state == "resolved":
                fired.append(_fired(state, worst.pop(name, state.value)))
            else:
                live[name] = state
    fired += [_fired(state, worst.get(name, state.value)) for name, state in live.items() if state.state == "firing"]
    fired.sort(key=lambda each: (each.fired_at, sorted(each.labels.items())))
    return Tried(first=float(first), end=float(end), fired=fired[:MOST_TOLD], left_out=max(len(fired) - MOST_TOLD, 0))


def _span(minutes: Mapping[int, Sequence[Row]], asked: Asked, now: int) -> Counted:
    """What there was in the span that ends now, or so long before; whole minutes."""
    end = int(now - asked.back_s) // MINUTE_S * MINUTE_S
    count = max(round(asked.over_s / MINUTE_S), 1)
    tallies: dict[tuple[str, ...], Tally] = {}
    for at in range(end - count * MINUTE_S, end, MINUTE_S):
        for key, tally in tallied(minutes.get(at, ()), has_flags=asked.section == "routes").items():
            if key in tallies:
                tallies[key].add(tally)
            else:
                tallies[key] = tally
    return Counted(tallies, float(count * MINUTE_S))


def _fired(state: AlertState, value: float) -> Fired:
    assert state.fired_at is not None
    return Fired(
        labels=state.labels,
        active_at=state.active_at,
        fired_at=state.fired_at,
        resolved_at=state.resolved_at,
        value=value,
        summary=state.summary,
    )

"""How fast objectives spend their budgets: shares of bad calls over the windows of an Objective. Pure but for Burning.

With a target of 99.9 % the budget is one call in a thousand. A burn rate of 1 spends it in just the whole window, 14.4
in a fiftieth of it (The Site Reliability Workbook, chapter 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.histogram import lower_bound, upper_bound
from meshway.model.objective import factor_of
from meshway.telemetry import ROUTES
from meshway.units import Duration
from registry.alerts.episodes import Look
from registry.insight.rolling import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

    from meshway.model.objective import BurnWindow, Objective
    from meshway.telemetry import Key, Row
    from registry.alerts.rules import ObjectiveRule
    from registry.insight.reading import Reading

_FRESH: Final = 1 / 60
_OLD_S: Final = 86_400.0


class Spent(msgspec.Struct, frozen=True):
    """Of one window: calls, and those of them that were bad."""

    calls: float = 0.0
    bad: float = 0.0

    @property
    def share(self) -> float:
        return self.bad / self.calls if self.calls else 0.0


class BurnRate(msgspec.Struct, frozen=True, kw_only=True):
    """Of one line of `burn`. factor: the burn rate above which it burns, in both windows. holds None: too few calls."""

    long_s: float
    short_s: float
    severity: str
    factor: float
    long: float
    short: float
    holds: bool | None


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """calls, bad: of the whole window. left: of its budget, 1 = all, below 0 = overspent; None: there were no calls."""

    calls: float
    bad: float
    left: float | None
    rates: tuple[BurnRate, ...]


def bad_share_of(spec: Objective) -> float:
    """Of calls that may be bad."""
    return 1.0 - spec.target_percent / 100.0


def windows_of(spec: Objective) -> list[BurnWindow]:
    """Those that are no longer than the objective's own."""
    return [burn for burn in spec.burn if burn.long <= spec.window]


def is_of(spec: Objective, namespace: str, key: Key) -> bool:
    """Whether a row of routes is of its target."""
    route, rule, service, _, _ = key
    target = spec.target
    if target.service is not None:
        return service == f"{namespace}/{target.service}"
    return route == f"{namespace}/{target.route}" and target.rule in (None, rule)


def spent_of(spec: Objective, rows: Iterable[Row]) -> Spent:
    """rows: of its target, by route, rule, service, status class and flag."""
    calls = bad = 0.0
    availability, latency = spec.indicator.availability, spec.indicator.latency
    for row in rows:
        if availability is not None:
            calls += row.calls
            if row.key[3] in availability.bad or row.key[4] in availability.bad:
                bad += row.calls
        elif latency is not None:
            calls += sum(row.buckets.values())
            bad += slower(row, float(latency.under))
    return Spent(calls, bad)


def slower(row: Row, under_s: float) -> float:
    """Calls that took longer; of a bucket that straddles the bound the share that lies above it."""
    total = 0.0
    for bucket, count in row.buckets.items():
        low, high = lower_bound(bucket), upper_bound(bucket)
        if low >= under_s:
            total += count
        elif high > under_s:
            total += count * (high - under_s) / (high - low)
    return total


def budget_of(spec: Objective, spent: Mapping[float, Spent]) -> Budget:
    """spent: by the seconds of each window."""
    allowed = bad_share_of(spec)
    rates = []
    for burn in windows_of(spec):
        long, short = spent[float(burn.long)], spent[float(burn.short)]
        factor = factor_of(burn, spec.window)
        burns = [each.share / allowed for each in (long, short)]
        enough = long.calls >= max(spec.minimum_requests, 1)
        rates.append(
            BurnRate(
                long_s=float(burn.long),
                short_s=float(burn.short),
                severity=burn.severity,
                factor=factor,
                long=burns[0],
                short=burns[1],
                holds=min(burns) > factor if enough else None,
            )
        )
    whole = spent[float(spec.window)]
    left = 1.0 - whole.share / allowed if whole.calls else None
    return Budget(calls=whole.calls, bad=whole.bad, left=left, rates=tuple(rates))


def looks_of(rule: ObjectiveRule, budget: Budget) -> Iterator[Look]:
    """An alert for each line of `burn`."""
    target = rule.spec.target
    about = {"service": target.service} if target.service is not None else {"route": target.route}
    if target.rule is not None:
        about["rule"] = target.rule
    for rate in budget.rates:
        window = f"{rate.long_s / 3_600.0:g}h"
        left = "none" if budget.left is None else f"{budget.left:.0%}"
        said = msgspec.structs.replace(
            rule.rule,
            severity=rate.severity,
            summary=f"{rule.rule.name}: errors burn {rate.long:.3g} times too fast over {window}, {left} of the budget "
            "is left",
        )
        labels = {"namespace": rule.rule.namespace, "window": window, **about}
        yield Look(
            rule=said,
            labels={name: value for name, value in labels.items() if value is not None},
            value=rate.long,
            holds=rate.holds,
            measure="times",
        )


class Burning:
    """Reads what objectives have spent; a window is read anew when a sixtieth of it has passed."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._kept: dict[tuple[str, str, int, float], tuple[float, Spent]] = {}

    async def budgets(self, rules: Sequence[ObjectiveRule]) -> dict[tuple[str, str], Budget]:
        """By namespace and name. Raises StoreUnavailable."""
        now = self._reading.wall()
        wanted: dict[float, list[ObjectiveRule]] = {}
        known: dict[tuple[str, str, int, float], Spent] = {}  # others who ask meanwhile may forget what is kept
        for rule in rules:
            for window_s in spans_of(rule.spec):
                name = self._name(rule, window_s)
                made_at, kept = self._kept.get(name, (0.0, None))
                if kept is not None and 0.0 <= now - made_at < max(window_s * _FRESH, 5.0):
                    known[name] = kept
                else:
                    wanted.setdefault(window_s, []).append(rule)
        for window_s, due in sorted(wanted.items()):
            for rule, spent in zip(due, await self._spent(due, now - window_s, now), strict=True):
                name = self._name(rule, window_s)
                self._kept[name] = (now, spent)
                known[name] = spent
        self._forget(known.keys())
        return {
            (rule.rule.namespace, rule.rule.name): budget_of(
                rule.spec, {window_s: known[self._name(rule, window_s)] for window_s in spans_of(rule.spec)}
            )
            for rule in rules
        }

    async def low_traffic(self, rules: Sequence[ObjectiveRule]) -> dict[tuple[str, str], str]:
        """Those whose shortest long window would have too few calls, judged by the last hour. Raises
        StoreUnavailable."""
        now = self._reading.wall()
        found: dict[tuple[str, str], str] = {}
        for rule, spent in zip(rules, await self._spent(rules, now - HOUR_S, now) if rules else (), strict=True):
            long_s = min((float(burn.long) for burn in windows_of(rule.spec)), default=0.0)
            expected = spent.calls * long_s / HOUR_S
            if expected < rule.spec.minimum_requests:
                told = f"of fewer calls in {Duration(long_s)} nothing is told, and by the last hour there are"
                found[rule.rule.namespace, rule.rule.name] = f"{told} {expected:.0f}"
        return found

    async def _spent(self, rules: Sequence[ObjectiveRule], first: float, end: float) -> list[Spent]:
        """One reading for all; a long span is read one point after the other, in a thread."""
        totals = [Spent() for _ in rules]
        by_service: dict[str, list[int]] = {}
        by_route: dict[str, list[int]] = {}
        for at, rule in enumerate(rules):
            target = rule.spec.target
            places, name = (by_route, target.route) if target.service is None else (by_service, target.service)
            places.setdefault(f"{rule.rule.namespace}/{name}", []).append(at)

        def take(_: int, rows: Sequence[Row]) -> None:
            for row in rows:
                for at in (*by_route.get(row.key[0], ()), *by_service.get(row.key[2], ())):
                    rule = rules[at]
                    if is_of(rule.spec, rule.rule.namespace, row.key):
                        more, known = spent_of(rule.spec, (row,)), totals[at]
                        totals[at] = Spent(known.calls + more.calls, known.bad + more.bad)

        await self._reading.each(ROUTES, first, end, HOUR_S, take)
        return totals

    def _name(self, rule: ObjectiveRule, window_s: float) -> tuple[str, str, int, float]:
        return (rule.rule.namespace, rule.rule.name, rule.rule.revision, window_s)

    def _forget(self, used: Set[tuple[str, str, int, float]]) -> None:
        self._kept = {name: kept for name, kept in self._kept.items() if name in used}


def spans_of(spec: Objective) -> list[float]:
    """All windows it looks at, seconds, each once."""
    lines = (float(each) for burn in windows_of(spec) for each in (burn.long, burn.short))
    return list(dict.fromkeys([*lines, float(spec.window)]))

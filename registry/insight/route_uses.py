"""What Routes carried, rule by rule, and when each rule had a call last. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from meshway.telemetry import Key, Row, Rows
from registry.insight.figures import Figures, figures_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class RuleUse(msgspec.Struct, frozen=True, kw_only=True):
    """last_used: seconds since 1970, to 10 s; null: never in the time that is kept."""

    name: str
    figures: Figures
    last_used: float | None


class RouteUse(msgspec.Struct, frozen=True, kw_only=True):
    """figures: of all its rules. rules: those that had calls, in the span or before."""

    namespace: str
    name: str
    figures: Figures
    last_used: float | None
    rules: list[RuleUse]


def rule_of(key: Key | None) -> Key | None:
    """Route and rule, of what is counted by Routes; None: of none."""
    return None if key is None or not key[0] else key[:2]


def route_uses(names: Iterable[str], rows: Rows, used: Mapping[tuple[str, str], int], span_s: float) -> list[RouteUse]:
    """Of the Routes of these names, and those that had calls. rows: by route and rule. used: seconds since 1970."""
    rules: dict[str, dict[str, Row]] = {name: {} for name in names}
    for (route, rule), row in rows.items():
        rules.setdefault(route, {})[rule] = row
    for route, rule in used:
        if route in rules:
            rules[route].setdefault(rule, Row((route, rule)))
    return [_route_use(route, of, used, span_s) for route, of in sorted(rules.items())]


def _route_use(route: str, rules: dict[str, Row], used: Mapping[tuple[str, str], int], span_s: float) -> RouteUse:
    namespace, _, name = route.partition("/")
    total = Row(())
    for row in rules.values():
        total.add(row)
    uses = [
        RuleUse(name=rule, figures=figures_of(row, span_s), last_used=used.get((route, rule)))
        for rule, row in sorted(rules.items())
    ]
    last = max((use.last_used for use in uses if use.last_used is not None), default=None)
    return RouteUse(namespace=namespace, name=name, figures=figures_of(total, span_s), last_used=last, rules=uses)

"""Signals of services: what their calls say, how many instances there are, and how well they are."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.telemetry import EDGES, Row, Rows
from registry.insight.figures import Figures, figures_of
from registry.insight.health import Cause, Health, Instances, Signs, judged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from registry.gateways import GatewayState
    from registry.insight.reading import Reading
    from registry.view.view import View

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_DAYS: Final = 7
_LEAST_CALLS: Final = 100  # fewer in an hour are no measure


class ServiceSignals(msgspec.Struct, frozen=True, kw_only=True):
    """figures: of calls that it was asked. reasons: of its health, in words; causes: the same, for programs. breakers:
    gateways that keep calls away. budget_left: of its objectives the least, 1 = all, below 0 = overspent; None: it has
    none, or no calls, or it is not of now."""

    namespace: str
    name: str
    health: Health
    reasons: tuple[str, ...]
    causes: tuple[Cause, ...] = ()
    figures: Figures
    instances: Instances
    breakers: int = 0
    budget_left: float | None = None


class Usual:
    """How long calls of this hour take on other days, by service; worked out once an hour."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._hour = -1
        self._known: dict[str, float] = {}

    async def p95_s(self, at: float) -> Mapping[str, float]:
        """The median over the last seven days. Raises StoreUnavailable."""
        hour = int(at // _HOUR_S)
        if hour != self._hour:
            found: dict[str, list[float]] = {}
            for day in range(1, _DAYS + 1):
                first = hour * _HOUR_S - day * _DAY_S
                rows = await self._reading.rows(EDGES, first, first + _HOUR_S, lambda key: (key[1],))
                for (service,), row in rows.items():
                    if row.calls >= _LEAST_CALLS:
                        found.setdefault(service, []).append(row.quantile_s(0.95))
            self._known = {service: statistics.median(values) for service, values in found.items()}
            self._hour = hour
        return self._known


def signals_of(
    names: Iterable[str],
    rows: Rows,
    *,
    instances: Mapping[str, Instances],
    gateways: Iterable[GatewayState],
    usual_p95_s: Mapping[str, float],
    budgets: Mapping[str, float],
    span_s: float,
) -> dict[str, ServiceSignals]:
    """names: of services, `namespace/name`. rows: of calls by (service,). instances: by service. gateways: empty where
    it is not of now. For a thread: nothing of it changes meanwhile."""
    breakers, ejected = _said(gateways)
    found = {}
    for full in names:
        namespace, _, name = full.partition("/")
        row = rows.get((full,)) or Row((full,))
        there = instances.get(full, Instances())
        verdict = judged(
            Signs(
                row=row,
                instances=there,
                usual_p95_s=usual_p95_s.get(full, 0.0),
                breakers=breakers.get(full, 0),
                ejected=len(ejected.get(full, ())),
            )
        )
        found[full] = ServiceSignals(
            namespace=namespace,
            name=name,
            health=verdict.health,
            reasons=verdict.reasons,
            causes=verdict.causes,
            figures=figures_of(row, span_s),
            instances=there,
            budget_left=budgets.get(full),
            breakers=breakers.get(full, 0),
        )
    return found


def instances_of(view: View) -> dict[str, Instances]:
    """By service, those that are registered."""
    return {
        f"{namespace}/{name}": Instances(sum(each.instance.status == "passing" for each in rows.values()), len(rows))
        for (namespace, name), rows in view.services.items()
    }


def _said(gateways: Iterable[GatewayState]) -> tuple[dict[str, int], dict[str, set[str]]]:
    """By service: gateways whose breaker is open, and instances that any of them has ejected."""
    breakers: dict[str, int] = {}
    ejected: dict[str, set[str]] = {}
    for gateway in gateways:
        if not gateway.live:
            continue
        for service in {cluster.partition("#")[0].partition(":")[0] for cluster in gateway.open_breakers}:
            breakers[service] = breakers.get(service, 0) + 1
        for instance in gateway.ejected:
            ejected.setdefault(instance.rpartition("/")[0], set()).add(instance)
    return breakers, ejected

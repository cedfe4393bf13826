"""Alerts put together: what fires, what is silenced, what was; and how far objectives have spent their budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from registry.alerts.burn import Budget
from registry.alerts.evaluator import Evaluator
from registry.alerts.presence import Presence
from registry.alerts.quiet import is_muted, silences_of
from registry.alerts.records import AlertState, state_of
from registry.alerts.rules import ObjectiveRule, Rule
from registry.alerts.silences import Silences
from registry.alerts.trying import Trying
from registry.store.alerts import live_states, resolved_states

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from meshway.model.objective import Objective
    from registry.alerts.presence import Ending
    from registry.alerts.records import Silence
    from registry.insight.reading import Reading
    from registry.leases.self_preservation import Hold
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.view.view import View

MOST_HISTORY: Final = 1_000


class Shown(AlertState, frozen=True, kw_only=True, omit_defaults=True):
    """silenced_by: ids of silences that cover it. muted: its rule says that nobody is told now."""

    silenced_by: tuple[str, ...] = ()
    muted: bool = False


class ObjectiveShown(msgspec.Struct, frozen=True, kw_only=True):
    """target, indicator: in plain words. window_s: over which its budget is."""

    namespace: str
    name: str
    target: str
    indicator: str
    target_percent: float
    window_s: float
    budget: Budget


class Alerts:
    """holds: of leases. endings: of the mesh's own certificates. clock: monotonic seconds; wall: since 1970."""

    def __init__(
        self,
        view: View,
        store: Store,
        reading: Reading,
        revisions: Revisions,
        *,
        holds: Callable[[], Sequence[Hold]],
        endings: Callable[[], Awaitable[Sequence[Ending]]],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self.wall = wall
        self.presence = Presence(
            view, holds=holds, commits=lambda: (revisions.commits, revisions.commit_s), clock=clock, wall=wall
        )
        self.evaluator = Evaluator(view, store, reading, self.presence, endings=endings, wall=wall)
        self.silences = Silences(store, revisions, wall)
        self.trying = Trying(reading, wall)

    def on_change(self, told: Callable[[Iterable[str]], None]) -> None:
        """told: of which namespaces there is something new."""
        self.evaluator.told = self.silences.told = told

    async def run(self) -> None:
        """Until cancelled."""
        await self.evaluator.run()

    async def live(self) -> list[Shown]:
        """Pending and firing ones, those that hold longest first. Raises StoreUnavailable."""
        ((*rows,),) = await self._store.do([live_states()])
        kept = [state_of(value) for (value,) in rows]
        # The registry that leads knows their values of now.
        return await self._shown(self.evaluator.live.get(state.fingerprint, state) for state in kept)

    async def history(self, before: float, count: int) -> list[Shown]:
        """Those that were resolved before (seconds since 1970), the youngest first. Raises StoreUnavailable."""
        ((*rows,),) = await self._store.do([resolved_states(before, count)])
        return await self._shown(state_of(value) for (value,) in rows)

    def is_muted(self, state: AlertState) -> bool:
        """Whether its rule says that nobody is to be told now."""
        spec = self.evaluator.rules.alert(state.namespace, state.name) if state.kind == "Alert" else None
        return spec is not None and is_muted(spec.mute, self.wall())

    async def objectives(self) -> list[ObjectiveShown]:
        """All of them. Raises StoreUnavailable."""
        budgets = await self.evaluator.budgets()
        return [
            _objective(rule, budgets[rule.rule.namespace, rule.rule.name]) for rule in self.evaluator.rules.objectives
        ]

    async def low_traffic(self, written: Iterable[tuple[str, str, Objective]]) -> dict[tuple[str, str], str]:
        """Objectives of which nothing would be told, by the calls of the last hour: why, by namespace and name. Raises
        StoreUnavailable."""
        return await self.evaluator.burning.low_traffic(
            [ObjectiveRule(Rule(kind="Objective", namespace=place, name=name), spec) for place, name, spec in written]
        )

    async def budget_left(self) -> Mapping[str, float]:
        """Of services with objectives, by `namespace/name`: the least of each. Raises StoreUnavailable."""
        found: dict[str, float] = {}
        budgets = await self.evaluator.budgets()
        for rule in self.evaluator.rules.objectives:
            namespace, service = rule.rule.namespace, rule.spec.target.service
            left = budgets[namespace, rule.rule.name].left
            if service is not None and left is not None:
                name = f"{namespace}/{service}"
                found[name] = min(left, found.get(name, left))
        return found

    async def _shown(self, states: Iterable[AlertState]) -> list[Shown]:
        now = self.wall()
        silences = await self.silences.all()
        return [self._with(state, silences, now) for state in states]

    def _with(self, state: AlertState, silences: Sequence[Silence], now: float) -> Shown:
        fields = {name: getattr(state, name) for name in AlertState.__struct_fields__}
        return Shown(
            **fields,
            silenced_by=() if state.state == "resolved" else silences_of(state, silences, now),
            muted=state.state != "resolved" and self.is_muted(state),
        )


def _objective(rule: ObjectiveRule, budget: Budget) -> ObjectiveShown:
    spec = rule.spec
    target, latency = spec.target, spec.indicator.latency
    named = f"service {target.service}" if target.service is not None else f"Route {target.route}"
    return ObjectiveShown(
        namespace=rule.rule.namespace,
        name=rule.rule.name,
        target=named if target.rule is None else f"{named} rule {target.rule}",
        indicator="availability" if latency is None else f"latency under {latency.under}",
        target_percent=spec.target_percent,
        window_s=float(spec.window),
        budget=budget,
    )

"""Looks at all rules every 10 s, on the one registry of a store that leads, and keeps what became of their alerts.

What a turn reads is read once for all rules; what it works out it works out in a thread; what changed is written
together. A turn that cannot read leaves all alerts as they are, one that cannot write tries again with the next.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from registry.alerts.burn import Burning
from registry.alerts.episodes import next_of, resolved
from registry.alerts.judging import asked_of
from registry.alerts.looking import Seen, looked
from registry.alerts.records import packed, state_of, told_of
from registry.alerts.rules import Rules
from registry.alerts.windows import Windows
from registry.store.alerts import forget_resolved, forget_silences, forget_state, live_states, put_state
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from registry.alerts.burn import Budget
    from registry.alerts.looking import Looked
    from registry.alerts.presence import Ending, Presence
    from registry.alerts.records import AlertState, Also
    from registry.alerts.rules import AlertRule, ObjectiveRule
    from registry.alerts.windows import Asked, Counted
    from registry.insight.reading import Reading
    from registry.store.interface import Store
    from registry.store.steps import Step
    from registry.view.view import View

EVERY_S: Final = 10.0
LEAD: Final = "alerts"
HISTORY_S: Final = 30 * 86_400.0
# Alerts that are there at once; further ones are counted.
MOST_ALERTS: Final = 10_000
# So often the value of an alert that goes on is written.
_REFRESH_S: Final = 60.0
_FORGET_EVERY_S: Final = 3_600.0
_OF_CERTIFICATES: Final = frozenset({"cert_days_left", "certs_expiring"})

_log = logging.getLogger("registry.alerts")


class Evaluator:
    """endings: of the mesh's own certificates. wall: seconds since 1970.

    told: of which namespaces alerts came, moved or went. failing: Receivers that cannot be told, by namespace and name.
    also: asked for what is written together with transitions to firing and to resolved. live: by fingerprint, on the
    registry that leads. turn_s: how long the last turn took; left_out: alerts of it above the most there may be;
    failures: turns that left all as it was.
    """

    def __init__(
        self,
        view: View,
        store: Store,
        reading: Reading,
        presence: Presence,
        *,
        endings: Callable[[], Awaitable[Sequence[Ending]]],
        wall: Callable[[], float],
    ) -> None:
        self._view = view
        self._store = store
        self._presence = presence
        self._endings = endings
        self.wall = wall
        self._windows = Windows(reading, self._zone_of, lambda: view.service_keys("-"))
        self.burning = Burning(reading)
        self._is_loaded = False
        self._written_at: dict[str, float] = {}
        self._forget_at = 0.0
        self.rules = Rules(view)
        self.also: list[Also] = []
        self.failing: Callable[[], Awaitable[Iterable[tuple[str, str]]]] = _none
        self.told: Callable[[Iterable[str]], None] = lambda _: None
        self.live: dict[str, AlertState] = {}
        self.turn_s = 0.0
        self.left_out = 0
        self.failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + EVERY_S, loop.time() + 1.0)
            await asyncio.sleep(due - loop.time())
            try:
                if await self._store.lead(LEAD):
                    await self.turn()
                else:
                    self._is_loaded, self.live = False, {}
            except StoreUnavailable as error:
                self.failures += 1
                _log.warning("alerts stay as they are now: %s", error)
            except Exception:
                # A defect in one rule's judging is no reason to end a registry that serves a mesh.
                self.failures += 1
                _log.exception("alerts stay as they are now")

    async def turn(self) -> None:
        """Raises StoreUnavailable: all alerts stay as they are."""
        begun = time.perf_counter()
        self._presence.look()
        if not self._is_loaded:
            await self._load()
        alerts, objectives = self.rules.alerts, self.rules.objectives
        seen = await self._read(alerts, objectives)
        found = await asyncio.to_thread(looked, alerts, objectives, seen, list(self.live.values()))
        now = self.wall()
        await self._settle(found, now)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_S
            await self._store.do([forget_resolved(now - HISTORY_S), forget_silences(now)])
        self.turn_s = time.perf_counter() - begun

    async def budgets(self) -> Mapping[tuple[str, str], Budget]:
        """Of all objectives, as of the last seconds. Raises StoreUnavailable."""
        return await self.burning.budgets(self.rules.objectives)

    async def _load(self) -> None:
        ((*rows,),) = await self._store.do([live_states()])
        self.live = {state.fingerprint: state for state in (state_of(value) for (value,) in rows)}
        self._written_at = {}
        self._is_loaded = True

    async def _read(self, alerts: Sequence[AlertRule], objectives: Sequence[ObjectiveRule]) -> Seen:
        self._windows.begin()
        counted: dict[Asked, Counted] = {}
        wanted: set[tuple[str, float]] = set()
        for each in alerts:
            for condition in each.query.conditions:
                for asked in asked_of(condition, each.rule.namespace):
                    if asked not in counted:
                        counted[asked] = await self._windows.count(asked)
                if not condition.section:
                    wanted |= {(value, condition.over_s) for value in condition.values}
        if "receivers_failing" in {value for value, _ in wanted}:
            self._presence.failing = await self.failing()
        endings = await self._endings() if _OF_CERTIFICATES & {value for value, _ in wanted} else ()
        samples = {(value, over_s): self._presence.samples(value, over_s, endings) for value, over_s in sorted(wanted)}
        return Seen(
            counted,
            samples,
            await self.burning.budgets(objectives),
            frozenset(self._view.service_keys("-")),
            self._presence.is_settled,
        )

    async def _settle(self, found: Looked, now: float) -> None:
        """What becomes of all alerts: first in the store, then here."""
        after = {name: self.live[name] for name in found.unknown}
        written_at = {name: self._written_at.get(name, 0.0) for name in found.unknown}
        steps: list[Step] = []
        moved: list[AlertState] = []
        news: set[str] = set()
        left_out = 0
        looks = {look.fingerprint: look for look in found.looks}
        for name in (*looks, *(self.live.keys() - looks.keys() - found.unknown)):
            before, look = self.live.get(name), looks.get(name)
            if before is None and len(after) >= MOST_ALERTS:
                left_out += look is not None and bool(look.holds)
                continue
            if look is not None:
                state = next_of(before, look, now)
            else:  # no rule asks for it any more
                state = None if before is None else resolved(before, now)
            if state is None:
                if before is not None:
                    steps.append(forget_state(before.id))
                    news.add(before.subject)
                continue
            has_moved = before is None or before.state != state.state
            last = self._written_at.get(name, 0.0)
            is_other = has_moved or (before is not None and told_of(before) != told_of(state))
            if is_other or (state is not before and now - last >= _REFRESH_S):
                steps.append(put_state(state.id, state.state, state.updated_at, packed(state)))
                last = now
            if has_moved:
                news.add(state.subject)
            if has_moved and state.state != "pending":
                moved.append(state)
            if state.state != "resolved":
                after[name], written_at[name] = state, last
        await self._write(steps, moved)
        self.live, self._written_at, self.left_out = after, written_at, left_out
        if news:
            self.told(news)

    async def _write(self, steps: list[Step], moved: Sequence[AlertState]) -> None:
        for also in self.also if moved else ():
            steps += also(moved)
        if steps:
            self._is_loaded = False  # where nobody knows whether they were written the store is asked
            await self._store.do(steps)
            self._is_loaded = True
        for state in moved:
            _log.info("alert %s/%s is %s: %s", state.namespace, state.name, state.state, state.summary)

    def _zone_of(self, key: tuple[str, str, str]) -> str:
        row = self._view.instance(key)
        return "" if row is None else row.instance.zone


async def _none() -> tuple[tuple[str, str], ...]:
    """Where nobody is told."""
    return ()

"""Takes Rollouts from step to step. One registry on a store does it (`Store.lead`); all can tell how far they are."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.rollout import CANARY, CONTROL, STABLE, Rollout
from meshway.model.rollout_state import Measures, RolloutState
from meshway.problem import Problem
from meshway.telemetry import TRACKS, Row
from registry.documents.rollouts import state_key, state_of
from registry.insight.ingest import SLOT_S
from registry.insight.pieces import finest_step_s
from registry.revisions.acts import ASKING
from registry.rollouts.judging import judged
from registry.rollouts.writes import Ask, Turn, principal_of
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from meshway.telemetry import Key
    from registry.insight.reading import Reading
    from registry.revisions.revisions import Revisions
    from registry.rollouts.transitions import Action
    from registry.view.rows import DocumentKey, DocumentRow
    from registry.view.view import View

EVERY_S: Final = 2.0
# Reports of the last calls of a step are on their way.
LATE_S: Final = 4.0

_log = logging.getLogger("registry.rollouts")


class Own(msgspec.Struct):
    """Who stands in the audit log for what a Rollout does by itself."""

    who: str
    path: str
    peer: str = ""
    method: str = "rollout"
    is_denied: bool = False


class Rollouts:
    """lead: whether this registry does it now. wall: seconds since 1970. tell: of namespaces where there is something
    new to be read. troubles: why one does not go on, by its key, where this registry does it."""

    def __init__(
        self,
        view: View,
        reading: Reading,
        revisions: Revisions,
        lead: Callable[[], Awaitable[bool]],
        wall: Callable[[], float],
        tell: Callable[[Iterable[str]], None],
    ) -> None:
        self._view = view
        self._reading = reading
        self._revisions = revisions
        self._lead = lead
        self._wall = wall
        self._tell = tell
        self._seen: dict[DocumentKey, tuple[int, Measures | None, str]] = {}
        self.troubles: dict[DocumentKey, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if self.rows() and await self._lead():
                await self.turn()

    def rows(self) -> list[DocumentRow]:
        found = self._view.documents.get(Rollout.__name__, {})
        return [found[key] for key in sorted(found)]

    async def turn(self) -> None:
        """Whatever is due now. One in trouble keeps no other from going on."""
        rows = self.rows()
        gone = self._seen.keys() - {row.key for row in rows}
        moved = {key[1] for key in gone}
        for key in gone:
            del self._seen[key]
            self.troubles.pop(key, None)
        for row in rows:
            measures = None
            try:
                measures = await self._advance(row)
                self.troubles.pop(row.key, None)
            except StoreUnavailable as error:
                self.troubles[row.key] = f"the numbers of calls cannot be read: {error}"
            except Problem as problem:
                trouble = problem.detail or problem.title
                if self.troubles.get(row.key) != trouble:
                    _log.warning("%s does not go on: %s", row.document.name, trouble)
                self.troubles[row.key] = trouble
            except Exception as error:
                # A defect in one's judging is no reason to end a registry that serves a mesh.
                if row.key not in self.troubles:
                    _log.exception("%s does not go on", row.document.name)
                self.troubles[row.key] = f"it cannot be judged ({type(error).__name__}): the registry's log says why"
            seen = (self.revision(row), measures, self.troubles.get(row.key, ""))
            if self._seen.get(row.key) != seen:
                self._seen[row.key] = seen
                moved.add(row.key[1])
        self._tell(moved)

    async def _advance(self, row: DocumentRow) -> Measures | None:
        """Answers what is measured of its running step."""
        spec, state = row.spec, self.state(row)
        assert isinstance(spec, Rollout)
        if state is None:
            await self._do(Turn(row.key, row.revision, self.revision(row), "begin"))
        elif not state.is_over:
            measures = await self.measures(row, state)
            if state.phase == "holding":
                return measures
            if measures.verdict == "worse":
                await self._do(Turn(row.key, row.revision, self.revision(row), "fail", measures))
            elif state.phase == "running" and measures.verdict != "not_enough_data" and self._is_due(spec, state):
                await self._do(Turn(row.key, row.revision, self.revision(row), "pass", measures))
            return measures
        return None

    def _is_due(self, spec: Rollout, state: RolloutState) -> bool:
        return self._wall() >= due_at(spec, state)

    async def _do(self, turn: Turn) -> None:
        token = ASKING.set(Own(principal_of(turn.key), turn.what))
        try:
            if await self._revisions.submit(turn):
                _log.info("Rollout %s/%s: %s %s", *turn.key[1:], turn.what, turn.measures.reason)
        finally:
            ASKING.reset(token)

    async def ask(self, row: DocumentRow, action: Action, by: str, reason: str, state: int | None) -> int:
        """Answers the revision. Raises Problem 404, 409, 412; StoreUnavailable is no reason not to: people act when the
        numbers are away, too."""
        known = self.state(row)
        try:
            measures = Measures() if known is None or known.is_over else await self.measures(row, known)
        except StoreUnavailable:
            measures = Measures()
        revision = await self._revisions.submit(Ask(row.key, action, by, reason, state, measures))
        self._tell({row.key[1]})
        return revision

    def state(self, row: DocumentRow) -> RolloutState | None:
        return state_of(row, self._view.document)

    def revision(self, row: DocumentRow) -> int:
        """Of its state; 0: it has none."""
        found = self._view.document(state_key(*row.key[1:]))
        return 0 if found is None else found.revision

    async def measures(self, row: DocumentRow, state: RolloutState) -> Measures:
        """Of the running step, as far as they are reported. Raises StoreUnavailable."""
        spec = row.spec
        assert isinstance(spec, Rollout)
        now, first = self._wall(), measured_from(state)
        # Not before the step: where only long steps of time are still kept, from the first whole one on.
        step_s = finest_step_s(first, now, self._reading.kept_s())
        first = -(-first // step_s) * step_s
        of = (f"{row.key[1]}/{spec.route}", spec.rule)

        def own(key: Key) -> Key | None:
            return key if key[:2] == of else None

        tracks = await self._reading.rows(TRACKS, first, now, own) if first < now else {}
        canary, control, stable = (tracks.get((*of, track), Row(())) for track in (CANARY, CONTROL, STABLE))
        against = control if spec.control == "same_size" else stable
        every = canary.calls + control.calls + stable.calls
        # In a thread: the ends of the intervals are some thousand logarithms.
        return await asyncio.to_thread(judged, spec.judge, len(spec.steps), canary, against, every)


def measured_from(state: RolloutState) -> float:
    """Calls of a step count from the first whole 10 s on, by which time the gateways have its weights."""
    return -(-state.step_at // SLOT_S) * SLOT_S


def due_at(rollout: Rollout, state: RolloutState) -> float:
    """When the running step has been held long enough, seconds since 1970."""
    return measured_from(state) + rollout.steps[state.step].hold + LATE_S

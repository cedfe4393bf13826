"""How long the change log, Idempotency-Keys, the history of documents and the audit log are kept; a tidy store."""

from __future__ import annotations

import asyncio
import logging
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from meshway.audit import forgotten
from registry.store.audit import forget_audit
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from registry.store.interface import Store
    from registry.view.view import View

# The work that one registry does for all (`Store.lead`).
RETENTION: Final = "retention"
_EVERY_S: Final = 60.0
_ONCE_S: Final = 86_400.0
_TIDY_EVERY_S: Final = 3600.0
_AUDIT_EVERY_S: Final = 86_400.0
_AUDIT_STEPS: Final = 500
_BEGINNING: Final = 0.0
# Rows taken out in one transaction, or those of one revision: a commit behind it waits some milliseconds.
_STEP_ROWS: Final = 200
_log = logging.getLogger("registry.revisions.retention")


class Retention:
    """revisions, age_s: the log keeps whichever reaches further back.

    history_age_s: None keeps every state of documents. audit_age_s: as it is set now. tell: writes a row of the audit
    log, durable when it returns. wall: seconds since 1970, as the rows bear them. clock:
    monotonic.
    """

    def __init__(
        self,
        view: View,
        store: Store,
        *,
        revisions: int,
        age_s: float,
        history_age_s: float | None,
        audit_age_s: Callable[[], float],
        tell: Callable[[dict[str, str]], Awaitable[object]],
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._view = view
        self._store = store
        self._revisions = revisions
        self._age_s = age_s
        self._history_age_s = history_age_s
        self._audit_age_s = audit_age_s
        self._tell = tell
        self._wall = wall
        self._clock = clock
        self._tidied_s = clock()
        self._audit_due_s = clock()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.compact()
            except StoreUnavailable as error:
                _log.warning("nothing more is forgotten for now: %s", error)

    async def compact(self) -> None:
        """One look: forgets what is older than both bounds. Who is away beyond it gets a snapshot.

        Of several registries one does it; the others' followers find the log cut, and get a snapshot too.
        """
        if not await self._store.lead(RETENTION):
            return
        now = self._wall()
        before = await self._keep_from(now)
        await self._compact_log(before)
        self._view.forget_onces(now - _ONCE_S)
        while await self._store.forget_onces(now - _ONCE_S, _STEP_ROWS) == _STEP_ROWS:
            pass
        if self._history_age_s is not None:
            while await self._store.forget_history(now - self._history_age_s, _STEP_ROWS):
                pass
        if self._clock() >= self._audit_due_s:
            await self._forget_audit(now - self._audit_age_s())
        if self._clock() - self._tidied_s >= _TIDY_EVERY_S:
            self._tidied_s = self._clock()
            await self._store.tidy()

    async def _compact_log(self, before: int) -> None:
        """From where the store's log really begins: another registry may have forgotten up to there, or something may
        have been left behind, which would be a log with a hole after the next start."""
        first = await self._store.revision_at(_BEGINNING)
        while first is not None and first < before:
            full = await self._store.revision_after(first, _STEP_ROWS)
            end = before if full is None else min(max(full, first + 1), before)
            # The floor first: nobody may begin to read what is on its way out.
            self._view.floor = max(self._view.floor, end)
            await self._store.compact(first, end)
            first = end

    async def _forget_audit(self, before: float) -> None:
        """Once a day, since each time leaves a row: that one is behind the others in the chain, and says what it was
        that stood before the first row which stays."""
        after = 0  # what was forgotten is not there
        steps: list[tuple[int, bytes]] = []
        while len(steps) < _AUDIT_STEPS:
            rows = await self._store.audit_after(after, _STEP_ROWS)
            old = list(takewhile(lambda row: row.at < before, rows))
            if not old:
                break
            after = old[-1].seq
            steps.append((after, old[-1].hash))
        if len(steps) < _AUDIT_STEPS:  # else there may be more
            self._audit_due_s = self._clock() + _AUDIT_EVERY_S
        if steps:
            await self._tell(forgotten(after, steps[-1][1].hex()))
        for last, digest in steps:
            await self._store.do(forget_audit(last, digest))

    async def _keep_from(self, now: float) -> int:
        by_count = self._view.revision - self._revisions + 1
        if by_count <= self._view.floor:
            return self._view.floor
        young = await self._store.revision_at(now - self._age_s)
        return by_count if young is None else min(by_count, young)

"""Pages of the change log that memory lacks, read once for all who stand at about the same place.

A registry that was started anew has none of the log in memory, and all who follow it come back at once, at the same few
revisions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from registry.view.recent import LogEntry, entries_of

if TYPE_CHECKING:
    from registry.store.interface import Store
    from registry.view.view import View

_PAGE_ROWS: Final = 1000
_PAGES: Final = 4
# They are let go so many ticks after the last one was asked for.
_TICKS: Final = 5


class Behind(Exception):
    """What comes next is no longer there, in memory or in the log: only a snapshot helps."""


class LogPages:
    """Of one registry. At most _PAGES are kept for those who come next."""

    def __init__(self, view: View, store: Store) -> None:
        self._view = view
        self._store = store
        self._epoch = view.epoch
        self._pages: deque[list[LogEntry]] = deque(maxlen=_PAGES)
        # The store would read them one by one, too; who waits here mostly finds what the one before has read.
        self._turn = asyncio.Lock()
        self._idle_ticks = 0

    async def after(self, revision: int) -> list[LogEntry]:
        """Entries that follow `revision` one by one, up to the view's head; none: there is nothing yet.

        Raises Behind, and StoreUnavailable.
        """
        async with self._turn:
            self._idle_ticks = 0
            return self._held(revision) or await self._read(revision)

    def tick(self) -> None:
        self._idle_ticks += 1
        if self._idle_ticks > _TICKS:
            self._pages.clear()

    def _held(self, revision: int) -> list[LogEntry]:
        if self._epoch != self._view.epoch:  # the same numbers, but of another history
            self._epoch = self._view.epoch
            self._pages.clear()
        for page in self._pages:
            at = revision + 1 - page[0].revision
            if 0 <= at < len(page):
                return page[at:]
        return []

    async def _read(self, revision: int) -> list[LogEntry]:
        epoch = self._epoch
        found = entries_of(await self._store.changes(revision + 1, _PAGE_ROWS))
        # What other registries committed a moment ago is shown when the view has it: a failover that lost it would not
        # be noticed here otherwise, and its numbers would be given out again.
        entries = [entry for entry in found if entry.revision <= self._view.revision]
        page = _unbroken(entries, revision)
        if page and epoch == self._view.epoch:
            self._pages.append(page)
        # Compacted between the question and the answer, or damaged: the log goes on later.
        if not page and (entries or revision + 1 < self._view.floor):
            raise Behind
        return page[:]


def _unbroken(entries: list[LogEntry], revision: int) -> list[LogEntry]:
    """Those that follow `revision` one by one, up to the first gap."""
    run = 0
    while run < len(entries) and entries[run].revision == revision + 1 + run:
        run += 1
    return entries[:run]

"""Keeps the last good snapshot current: deltas each second, the whole when it pays, all of it in a thread."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.feed.last_good import append_deltas, record, write_snapshot
from gateway.feed.state import Key
from meshway.snapshot import INSTANCE, Change

SYNC_S: Final = 1.0
WHOLE_S: Final = 10.0
# A journal shorter than this is read back faster than it is worth rewriting the snapshot.
MIN_JOURNAL: Final = 256 << 10

_log = logging.getLogger("meshway.gateway.last_good")

State = tuple[str, int, dict[Key, Change], list[Change]]


class Keeper:
    """state: what is held now (epoch, revision, entries, what is proven), asked for on the loop when a whole is due."""

    def __init__(self, folder: Path, state: Callable[[], State], now: Callable[[], float]) -> None:
        self._folder = folder
        self._state = state
        self._now = now
        self._pending: list[bytes] = []
        # What runs in place of refused versions, as the disk has it; None: documents came since.
        self._proven: list[Change] | None = None
        self._snapshot: Path | None = None
        self._snapshot_size = 0
        self._journal = 0
        self._is_whole_due = False
        self._last_whole = -WHOLE_S
        self.failures = 0

    def replaced(self) -> None:
        """A snapshot came over the feed."""
        self._pending.clear()
        self._is_whole_due = True

    def changed(self, revision: int, changes: list[Change]) -> None:
        if not self._is_whole_due:
            self._pending.append(record(revision, changes))
            if any(change.kind != INSTANCE for change in changes):
                self._proven = None

    async def run(self) -> None:
        while True:
            await self.sync()
            await asyncio.sleep(SYNC_S)

    async def sync(self, *, is_last: bool = False) -> None:
        """What is due now. A disk that refuses leaves the older files as they are, and is tried again."""
        try:
            if self._is_due() and (is_last or self._now() - self._last_whole >= WHOLE_S):
                await self._write_whole()
            elif self._snapshot is not None and not self._is_whole_due:
                await self._append(self._snapshot)
        except OSError as error:
            self.failures += 1
            # The journal may now have a hole: only a new whole is right again.
            self._pending.clear()
            self._is_whole_due = True
            _log.warning("cannot keep the last good snapshot in %s: %s", self._folder, error)

    def _is_due(self) -> bool:
        is_large = self._journal > max(MIN_JOURNAL, self._snapshot_size // 2)
        return self._is_whole_due or is_large or (self._snapshot is None and bool(self._pending))

    async def _append(self, snapshot: Path) -> None:
        _, revision, _, proven = self._state()
        if proven != self._proven:
            self._pending.append(record(revision, proven))
            self._proven = proven
        if self._pending:
            records = b"".join(self._pending)
            self._pending.clear()
            await asyncio.to_thread(append_deltas, snapshot, records)
            self._journal += len(records)

    async def _write_whole(self) -> None:
        epoch, revision, entries, proven = self._state()
        copy = list(entries.values())
        self._pending.clear()
        self._proven = proven
        self._is_whole_due, self._last_whole = False, self._now()
        self._snapshot = await asyncio.to_thread(write_snapshot, self._folder, epoch, revision, copy, proven)
        self._snapshot_size, self._journal = self._snapshot.stat().st_size, 0

"""A place in the change log that moves on: from memory while it is young, from the store where it is older.

A follower is no queue but a place: however many there are, a revision stands in memory once, and a slow one holds
nothing but the bound of what memory keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.tasks import spawn
from registry.feed.log_pages import Behind
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from registry.feed.log_pages import LogPages
    from registry.view.recent import LogEntry
    from registry.view.view import View


class LogCursor:
    """revision: the last one given out. wake: called when there is more after `take` gave nothing.

    One that comes with an old revision is served from the store until it has caught up. One that had caught up and then
    fell out of memory is told `Behind`: its slowness is its own, and a snapshot is the shorter way.
    """

    __slots__ = ("_has_caught_up", "_is_cut", "_page", "_pages", "_reading", "_view", "_wake", "revision")

    def __init__(self, view: View, pages: LogPages, revision: int, wake: Callable[[], None]) -> None:
        self._view = view
        self._pages = pages
        self._wake = wake
        self._page: list[LogEntry] = []
        self._reading: asyncio.Task[None] | None = None
        self._has_caught_up = self._is_cut = False
        self.revision = revision

    @property
    def is_at_head(self) -> bool:
        return self.revision == self._view.revision

    @property
    def is_reading(self) -> bool:
        """A page is on its way, and will wake."""
        return self._reading is not None

    def take(self, max_bytes: int) -> list[LogEntry]:
        """The next entries, about max_bytes; none: wait for wake. Raises Behind."""
        if self._page:
            return self._move(self._from_page(max_bytes))
        if self._reading is not None:
            return []
        entries = self._view.recent.since(self.revision, max_bytes)
        if entries is not None:
            self._has_caught_up = True
            return self._move(entries)
        if self._has_caught_up or self._is_cut or self.revision + 1 < self._view.floor:
            raise Behind
        self._reading = spawn(self._read(), name="log page")
        return []

    def take_frames(self, max_bytes: int) -> bytes:
        """The same as the feed's frames, in one piece. Raises Behind."""
        if not self._page and self._reading is None:
            shared = self._view.recent.frames_since(self.revision, max_bytes)
            if shared is not None:
                self._has_caught_up = True
                self.revision, frames = shared
                return frames
        return b"".join([entry.frames() for entry in self.take(max_bytes)])

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    def _from_page(self, max_bytes: int) -> list[LogEntry]:
        taken = 0
        for entry in self._page:
            taken += 1
            max_bytes -= entry.size
            if max_bytes <= 0:
                break
        entries = self._page[:taken]
        del self._page[:taken]
        return entries

    def _move(self, entries: list[LogEntry]) -> list[LogEntry]:
        if entries:
            self.revision = entries[-1].revision
        return entries

    async def _read(self) -> None:
        """One page into memory. Without the store the connection waits; its next tick or change tries again."""
        try:
            self._page = await self._pages.after(self.revision)
        except StoreUnavailable:
            return
        except Behind:
            self._is_cut = True
        finally:
            self._reading = None
        if self._page or self._is_cut:
            self._wake()

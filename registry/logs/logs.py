"""Logs of services put together: taken, kept for a while, searched, followed, sent on."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from meshway.log_lines import LogLine
from registry.logs.intake import Intake
from registry.store.interface import StoreUnavailable
from registry.store.log_segments import FOLDER, LogSegments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from registry.logs.forwarding import Forwarding
    from registry.settings import RegistrySettings
    from registry.store.logs import FoundLog, LogQuestion, LogStore

PRUNE_EVERY_S: Final = 10.0
# So long a line that another registry wrote may come to light behind younger ones.
LATE_S: Final = 3.0
LEAD: Final = "logs"
_decode: Final = msgspec.json.Decoder(LogLine).decode
_log = logging.getLogger("registry.logs")


class KeptLogs(NamedTuple):
    """How long lines are kept, and how many bytes of them."""

    age_s: float
    most_bytes: int


class LogPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """items: the youngest first. next: where the list goes on."""

    items: list[LogLine]
    next: str | None = None


class Logs:
    """kept: as it is set now. lead: whether this registry forgets for all. dropped: lines that were forgotten early,
    for want of room."""

    def __init__(
        self,
        store: LogStore,
        forwarding: Forwarding,
        *,
        kept: Callable[[], KeptLogs],
        lead: Callable[[], Awaitable[bool]],
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._kept = kept
        self._lead = lead
        self._wall = wall
        self.forwarding = forwarding
        self.intake = Intake(store, forwarding.add, wall, clock)
        self.dropped = 0

    async def search(self, question: LogQuestion, limit: int) -> LogPage:
        """Raises StoreUnavailable."""
        found = await self._store.search(question, limit + 1)
        lines = found[:limit]
        more = place_text(lines[-1]) if len(found) > limit else None
        return LogPage([_decode(one.value) for one in lines], more)

    async def newest(self) -> int:
        """Raises StoreUnavailable."""
        return await self._store.newest()

    async def following(self, question: LogQuestion, limit: int) -> list[tuple[int, LogLine]]:
        """With their ids, the oldest first. Raises StoreUnavailable."""
        return [(one.id, _decode(one.value)) for one in await self._store.search(question, limit)]

    async def prune(self) -> None:
        """Raises StoreUnavailable."""
        if not await self._lead():
            return
        kept = self._kept()
        before = int((self._wall() - kept.age_s) * 1e6)
        lost = await self._store.prune(before, kept.most_bytes)
        if lost:
            self.dropped += lost
            _log.info("%d lines of logs made room for younger ones (retention.logs_max)", lost)

    async def run(self) -> None:
        """Until cancelled: forgets what is too old or too much."""
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            try:
                await self.prune()
            except StoreUnavailable as error:
                _log.warning("no lines of logs are forgotten for now: %s", error)


def place_text(found: FoundLog) -> str:
    """A cursor."""
    return f"{found.at}.{found.id}"


def place_of(cursor: str) -> tuple[int, int]:
    """Raises ValueError."""
    at, _, id_ = cursor.partition(".")
    if at.isdecimal() and id_.isdecimal() and len(cursor) < 40 and max(int(at), int(id_)) < 1 << 63:
        return int(at), int(id_)
    raise ValueError("is no cursor of this list")


@asynccontextmanager
async def open_logs(settings: RegistrySettings, wall: Callable[[], float]) -> AsyncIterator[LogStore]:
    """Where the store is: in the shared database, or beside the embedded store. Raises StartRefused."""
    store: LogStore
    if settings.database_url:
        from registry.store.postgres.logs import PostgresLogs  # a tenth of a second, for those who want it

        store = PostgresLogs(settings.database_url, wall)
    else:
        store = LogSegments(settings.data_dir / FOLDER, wall)
    try:
        yield store
    finally:
        await store.close()

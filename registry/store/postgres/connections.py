"""The connections of one store: one commits and follows, a few read what memory lacks."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from registry.store.interface import HeadHeld, HeadMoved, StoreGone, StoreUnavailable
from registry.store.postgres.link import Link, Reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from registry.store.postgres.link import Connection

# With the committer's and the session's connection a registry holds five, and opens no more at once.
READERS: Final = 3
# For one of them to be free.
_READER_WAIT_S: Final = 5.0
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


class Connections:
    """held: the connection whose transaction holds the head. away: why the committer's could not be asked, which its
    next answer ends."""

    def __init__(self, url: str, *, limits: dict[str, str]) -> None:
        """limits: of the server, for the committer's session."""
        reached = Reached()
        self.committing = Link(url, name="commit", settings=limits, ready=_make_durable, reached=reached)
        self.held: Connection | None = None
        self.away: str | None = None
        self.free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        self._turn = asyncio.Lock()
        self._readers = [Link(url, name="read", settings={}, reached=reached) for _ in range(READERS)]
        for reader in self._readers:
            self.free.put_nowait(reader)

    async def close(self) -> None:
        for link in (self.committing, *self._readers):
            await link.close()

    @asynccontextmanager
    async def commit_side(self) -> AsyncIterator[Connection]:
        """The committer's own connection. What it meets is what readiness tells."""
        try:
            async with self._turn:
                connection = await self.committing.open()
                if self.held not in (None, connection):
                    raise StoreGone("the connection that held the head is lost")
                with self.committing.judged():
                    yield connection
        except (HeadMoved, HeadHeld):
            self.away = None
            raise
        except StoreUnavailable as error:
            self.away = str(error)
            raise
        self.away = None

    @asynccontextmanager
    async def read_side(self) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(_READER_WAIT_S):
                link = await self.free.get()
        except TimeoutError as error:
            raise StoreUnavailable("all its readers are busy") from error
        try:
            connection = await link.open()
            with link.judged():
                yield connection
        finally:
            self.free.put_nowait(link)


async def _make_durable(connection: Connection) -> None:
    """An answered write is on the server's disk; what a server asks for above that (a standby's) stays."""
    await connection.execute(_DURABLE)

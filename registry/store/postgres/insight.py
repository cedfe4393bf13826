"""Numbers of calls in the shared database, over a connection of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from registry.store.postgres.link import Link, Reached
from registry.store.postgres.reading import run
from registry.store.postgres.statements import compiled
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.store.postgres.link import Connection
    from registry.store.steps import Row, Step

# What a crash of the server takes along is less than a second of numbers; no commit of the catalogue waits for them.
_SETTINGS: Final = {"synchronous_commit": "off"}


class PostgresInsight:
    """InsightStore. url: of a database that `prepare` has seen. One connection writes, one reads."""

    def __init__(self, url: str) -> None:
        reached = Reached()
        self._writing = Link(url, name="numbers", settings=_SETTINGS, reached=reached)
        self._reading = Link(url, name="numbers read", settings={}, reached=reached)
        self._writes = asyncio.Lock()
        self._reads = asyncio.Lock()

    async def do(self, steps: Sequence[Step]) -> list[list[Row]]:
        async with self._writes:
            connection = await self._writing.open()
            with self._writing.judged():
                async with connection.transaction():
                    return await _do(connection, steps)

    async def read(self, steps: Sequence[Step]) -> list[list[Row]]:
        async with self._reads:
            connection = await self._reading.open()
            with self._reading.judged():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    return await _do(connection, steps)

    async def close(self) -> None:
        await self._writing.close()
        await self._reading.close()


async def _do(connection: Connection, steps: Sequence[Step]) -> list[list[Row]]:
    found: list[list[Row]] = []
    for at, step in enumerate(steps):
        rows = await run(connection, compiled(step.query), **step.values)
        if step.needs_row and not rows:
            raise NoRow(at)
        found.append([tuple(row) for row in rows])
    return found

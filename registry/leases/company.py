"""The only registry of a shared database, as one without Redis must be: another would end the leases renewed here."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from registry.settings import StartRefused

if TYPE_CHECKING:
    from registry.store.interface import Store

ALONE: Final = "leases of one registry"
# One that was cut off from the database holds the lock until its session has been idle for five seconds.
_WAIT_S: Final = 7.0
_TRY_EVERY_S: Final = 0.5
_LOOK_EVERY_S: Final = 1.0
# Looks at a store that answers, without the lock, before another registry is believed to have it.
_LOOKS: Final = 15


class TakenOver(Exception):
    """Another registry without Redis serves the database, and ends leases that are renewed here."""


class Alone:
    """Holds a lock in the store (`Store.lead`), and takes it again after each loss of the session."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self) -> None:
        """Raises StartRefused when another registry has it and keeps it."""
        end_s = time.monotonic() + _WAIT_S
        while not await self._store.lead(ALONE):
            if time.monotonic() > end_s:
                raise StartRefused(
                    "another registry without Redis serves this database, and they would end each other's leases: "
                    "give all of them the same --redis-url, or stop the other one first"
                )
            await asyncio.sleep(_TRY_EVERY_S)

    async def run(self) -> None:
        """Until cancelled. Raises TakenOver: this one stood still for so long that another could start."""
        without = 0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if await self._store.lead(ALONE) or self._store.missing() is not None:
                without = 0
                continue
            without += 1
            if without >= _LOOKS:
                raise TakenOver("another registry without Redis serves this database: give both the same --redis-url")

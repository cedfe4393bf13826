"""Who else may serve a shared database: with Redis all who have it, without Redis nobody.

Registries that do not hear of each other's renewals would end each other's leases.
"""

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
_MEND: Final = "give all of them the same --redis-url"


class TakenOver(Exception):
    """Another registry serves the database by now, one that does not hear of the leases renewed here."""


class Company:
    """Holds a lock in the store, and takes it again after each loss of the session: without Redis to lead it, as only
    one may; with Redis to share it, while nobody leads it."""

    def __init__(self, store: Store, *, has_redis: bool) -> None:
        self._hold = store.share if has_redis else store.lead
        self._missing = store.missing
        self._other = "a registry without Redis" if has_redis else "another registry"

    async def take(self) -> None:
        """Raises StartRefused when another registry is in the way, and stays."""
        end_s = time.monotonic() + _WAIT_S
        while not await self._hold(ALONE):
            if time.monotonic() > end_s:
                raise StartRefused(
                    f"{self._other} serves this database, and without a Redis that both have they would end each "
                    f"other's leases: {_MEND}, or stop the other one first"
                )
            await asyncio.sleep(_TRY_EVERY_S)

    async def run(self) -> None:
        """Until cancelled. Raises TakenOver: this one stood still for so long that another could start."""
        without = 0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if await self._hold(ALONE) or self._missing() is not None:
                without = 0
                continue
            without += 1
            if without >= _LOOKS:
                raise TakenOver(f"{self._other} serves this database, and knows nothing of the leases here: {_MEND}")

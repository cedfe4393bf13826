"""What a registry kept that could not share its renewals, and is gone: killed, or cut off from the store as well.

Nobody else knows what it answered, so nobody expires until each lease has had its TTL once more
(docs/internals/leases.md).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from registry.leases.leases import SWEEP
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from registry.live.interface import Live
    from registry.store.interface import Store

_LOOK_EVERY_S: Final = 0.5
# Longer than the other goes on answering once its hold is lost (`HeldSweep.is_sure`), and time to take it again.
_GRACE_S: Final = 1.2
_log = logging.getLogger("registry.leases.abandoned")


class AbandonedHolds:
    """`run` is its task. Of several registries the one that leads the sweep does it."""

    def __init__(self, store: Store, live: Live) -> None:
        self._store = store
        self._live = live
        self._found_s: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        if await self._store.lead(SWEEP) or not self._store.abandoned(SWEEP):
            self._found_s = None
            return
        now = self._live.now()
        if self._found_s is None:
            self._found_s = now
        if now - self._found_s < _GRACE_S or not await self._live.begin_anew():
            return
        try:
            await self._store.forget_abandoned(SWEEP)
        except StoreUnavailable as error:
            _log.warning("leases begin anew once more, when the store answers: %s", error)
            return
        _log.warning("a registry is gone that alone knew of renewals: all leases count as renewed")
        self._found_s = None

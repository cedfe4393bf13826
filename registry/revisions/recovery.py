"""Tries a store that took no writes, until it takes them: else readiness would tell of a full disk until somebody
happens to write, hours after there is room."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from registry.store.interface import Store

_EVERY_S: Final = 1.0
_log = logging.getLogger("registry.revisions.recovery")


class Recovery:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            if self._store.missing() is not None:
                await self.look()

    async def look(self) -> None:
        """One trial. Its failure was said when the first write failed, and is told by readiness."""
        try:
            await self._store.try_write()
        except StoreUnavailable:
            return
        if self._store.missing() is None:
            _log.warning("the store takes writes again")

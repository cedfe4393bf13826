"""Tokens, and people, that other registries made or changed: looked for in the store they share."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from registry.store.interface import Store
    from registry.view.view import View

POLL_S: Final = 2.0


class PeopleFollowing:
    """Without the store those that are known go on: a mesh must not fall silent with its database."""

    def __init__(self, view: View, store: Store) -> None:
        self._view = view
        self._store = store

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(POLL_S * random.uniform(0.8, 1.2))
            await self.look()

    async def look(self) -> None:
        try:
            self._view.know_tokens(await self._store.tokens())
            self._view.know_people(await self._store.people())
        except StoreUnavailable:
            pass  # readers of everything else meet the same, and say so

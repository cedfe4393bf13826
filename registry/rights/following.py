"""Tokens, and people, that other registries made or changed: looked for in the store they share."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.store.interface import Store
    from registry.view.view import View

POLL_S: Final = 2.0
# A row of what is gone stays a day (registry/people/keeping.py): whoever has not looked for longer may have missed it.
AWAY_S: Final = 43_200.0


class PeopleFollowing:
    """Without the store those that are known go on: a mesh must not fall silent with its database. wall: seconds since
    1970, which go on while a machine sleeps."""

    def __init__(self, view: View, store: Store, wall: Callable[[], float]) -> None:
        self._view = view
        self._store = store
        self._wall = wall
        self._looked_at = wall()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(POLL_S * random.uniform(0.8, 1.2))
            await self.look()

    async def look(self) -> None:
        now, view = self._wall(), self._view
        was_away = now - self._looked_at > AWAY_S
        before = (set(view.tokens), view.people_keys()) if was_away else (set[str](), set[tuple[str, str]]())
        try:
            tokens, people = await self._store.tokens(), await self._store.people()
        except StoreUnavailable:
            return  # readers of everything else meet the same, and say so
        view.know_tokens(tokens)
        view.know_people(people)
        if was_away:
            view.drop_callers(
                before[0] - {one.id for one in tokens}, before[1] - {(one.kind, one.id) for one in people}
            )
        self._looked_at = now

"""Where leases are shared: in one Redis by all who serve a store.

Two registries with different servers, or with different databases of one, would end each other's leases. So each Redis
bears a random name, which goes with what it holds, and the store refuses whoever brings another one than those that
serve it now. Nothing of it is kept: a Redis that was emptied or replaced has another name, and is agreed on as soon as
all have it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from meshway.tasks import spawn
from registry.settings import StartRefused

if TYPE_CHECKING:
    from registry.store.interface import Store

PLACE: Final = "where leases are shared"
REFUSAL: Final = (
    "another registry of this database shares leases in another Redis, or in another database of it: "
    "give all of them the same --redis-url"
)
_LOOK_EVERY_S: Final = 1.0
_ANSWER_S: Final = 1.5
# One that is gone without a word is known to the store until its session has been idle for five seconds.
_WAIT_S: Final = 7.0
_TRY_EVERY_S: Final = 0.2


class AgreedPlace:
    """live.interface.Agreement. `run` is its task: the session that the store knows this registry by may be lost, and
    another registry have come meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._place: str | None = None
        self._turn = asyncio.Lock()
        self._asking: asyncio.Task[bool] | None = None
        self.refusal: str | None = None

    async def reach(self, place: str) -> str | None:
        self._place = place
        if self._asking is None or self._asking.done():
            self._asking = spawn(self._ask(), name="agreement on where leases are shared")
        # Not cut short: a question that is given up takes the store's session with it.
        await asyncio.wait([self._asking], timeout=_ANSWER_S)
        return self.refusal

    async def settle(self) -> None:
        """Raises StartRefused when registries with another Redis are in the way, and stay."""
        end_s = time.monotonic() + _WAIT_S
        while self.refusal is not None:
            if time.monotonic() > end_s:
                raise StartRefused(self.refusal)
            await asyncio.sleep(_TRY_EVERY_S)
            await self._ask()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            # The first one to see another Redis is refused until the others have seen it, too, which is a moment.
            await asyncio.sleep(_LOOK_EVERY_S if self.refusal is None else _TRY_EVERY_S)
            await self._ask()

    async def lead(self, what: str) -> bool:
        """`Store.lead`, for work on leases: only while this registry shares them where the others do."""
        return await self._store.lead(what) and await self._ask()

    async def _ask(self) -> bool:
        """Whether the store says yes now; without its word the refusal stays as it was."""
        async with self._turn:
            if self._place is None:
                return True
            agrees = await self._store.agree(PLACE, self._place)
            if agrees is not None:
                self.refusal = None if agrees else REFUSAL
            return bool(agrees)

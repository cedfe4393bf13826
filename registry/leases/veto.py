"""Where a registry that cannot share its renewals says so: in the store, which the one that sweeps asks each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.leases.leases import SWEEP

if TYPE_CHECKING:
    from registry.store.interface import Store


class SweepVeto:
    """live.interface.Veto. It ends with the registry's session with the database: one that is killed while it alone
    holds renewals takes them with it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def hold(self) -> bool:
        return await self._store.hold_off(SWEEP)

    async def release(self) -> None:
        await self._store.let_go(SWEEP)

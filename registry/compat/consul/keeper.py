"""Instances that Consul's clients registered without a check: they pass until they are deregistered, so we renew them.

Every replica does it: a renewal more is no harm, and one that is missing would take them out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem
from registry.compat.consul.attributes import KEY, NO_CHECK, attributes_of
from registry.compat.consul.definitions import KEPT_TTL_S

if TYPE_CHECKING:
    from registry.catalog.catalog import Catalog
    from registry.view.view import View

EVERY_S: Final = KEPT_TTL_S / 6
_BATCH: Final = 1000


class Keeper:
    def __init__(self, view: View, catalog: Catalog) -> None:
        self._view = view
        self._catalog = catalog

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.renew()
            await asyncio.sleep(EVERY_S)

    async def renew(self) -> None:
        """Once all of them; the loop has a turn after each batch."""
        lease_ids: list[str] = []
        for service in list(self._view.services.values()):
            for row in list(service.values()):
                if KEY in row.instance.metadata and row.instance.status != "critical":
                    attributes = attributes_of(row.instance.metadata)
                    if attributes is not None and attributes.check == NO_CHECK:
                        lease_ids.append(row.lease_id)
            if len(lease_ids) >= _BATCH:
                await self._renew(lease_ids)
                lease_ids = []
        await self._renew(lease_ids)

    async def _renew(self, lease_ids: list[str]) -> None:
        try:
            renewal = self._catalog.heartbeat(lease_ids)
            if isinstance(renewal, asyncio.Future):
                await asyncio.shield(renewal)
        except Problem:
            return  # the next round comes long before their leases end
        await asyncio.sleep(0)

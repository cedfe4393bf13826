"""Takes out what stays critical for as long as its registration said: DeregisterCriticalServiceAfter.

The registry takes out every critical instance in time (`remove_after_s`); this is for those that ask to go sooner.
Every replica counts from when it saw the instance become critical, and the commit looks again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem
from registry.compat.consul.attributes import attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.catalog.catalog import Catalog
    from registry.view.rows import InstanceKey, InstanceRow
    from registry.view.view import InstanceMove, View

# Consul's own: who asks for less gets this.
SHORTEST_S: Final = 60
_LOOK_EVERY_S: Final = 1.0


class Removal:
    """now: monotonic seconds."""

    def __init__(self, view: View, catalog: Catalog, now: Callable[[], float]) -> None:
        self._catalog = catalog
        self._now = now
        self._due: dict[InstanceKey, tuple[float, int]] = {}
        view.on_instances.append(self._follow)
        for service in view.services.values():
            self._follow([(None, row) for row in service.values()])

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.remove()

    async def remove(self) -> None:
        """Those whose time has come; one that the store does not take now is tried again."""
        now = self._now()
        for key, (at, number) in list(self._due.items()):
            if at <= now:
                try:
                    await asyncio.shield(self._catalog.remove_critical(key, number))
                except Problem:
                    return
                self._due.pop(key, None)

    def _follow(self, moves: Sequence[InstanceMove]) -> None:
        """Called within a commit: nothing here raises."""
        for before, after in moves:
            row = after or before
            if row is None:
                continue
            after_s = 0 if after is None else _after_s(after)
            known = self._due.get(row.key)
            if not after_s:
                self._due.pop(row.key, None)
            elif known is None or known[1] != row.number:
                self._due[row.key] = (self._now() + after_s, row.number)


def _after_s(row: InstanceRow) -> int:
    """0: it stays."""
    if row.instance.status != "critical":
        return 0
    attributes = attributes_of(row.instance.metadata)
    if attributes is None or not attributes.deregister_s:
        return 0
    return max(SHORTEST_S, attributes.deregister_s)

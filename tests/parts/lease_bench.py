"""Leases over judged writes, with a clock under the test's hand."""

from __future__ import annotations

import asyncio
from typing import Any

from meshway.problem import Problem
from registry.catalog.registering import Registered
from registry.leases.leases import Leases
from registry.leases.self_preservation import SelfPreservation
from registry.leases.writes import Renewal
from registry.live.memory import MemoryLive
from registry.revisions.draft import Draft, Write
from tests.parts.clock import ManualClock
from tests.parts.registry_bench import Bench

KEY = ("default", "books", "b1")


class LeaseBench(Bench):
    """Leases over a bench: what they submit is committed at once, or refused while `is_down`."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.is_down = False
        self.is_leading = True
        self.live = MemoryLive(self.clock)
        self.leases = self.fresh_leases()

    def fresh_leases(self, live: MemoryLive | None = None) -> Leases:
        """Those of another registry where it has a live state of its own."""
        guard = SelfPreservation(percent=15.0, minimum=3, max_s=900.0)
        live = self.live if live is None else live
        return Leases(self.view, live, self.submit, self_preservation=guard, remove_after_s=300.0, lead=self.lead)

    async def lead(self, what: str) -> bool:
        return self.is_leading

    def submit(self, write: Write[Any]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        if self.is_down:
            Draft(self.view, at=0.0).judge(write)  # judged, then the commit fails
            future.set_exception(Problem(503, "store_unavailable", "No"))
        else:
            future.set_result(self.commit(write))
        return future

    async def sweep(self, after_s: float = 0.0) -> None:
        """As time goes on: a look at least every ten seconds."""
        while after_s > 0:
            self.clock.advance(min(after_s, 10.0))
            after_s -= 10.0
            await self.leases.sweep()
        await self.leases.sweep()

    def status(self, key: tuple[str, str, str] = KEY) -> str | None:
        row = self.view.instance(key)
        return None if row is None else row.instance.status

    async def renew(self, *registered: Registered) -> Renewal:
        found = self.leases.renew([one.lease_id for one in registered])
        return found if isinstance(found, Renewal) else await found

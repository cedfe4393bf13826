"""A registry from its start to its end, without a surface."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from meshway.tasks import spawn
from registry.assembly.whole import assemble
from registry.core import Core
from registry.insight.insight import open_calls, open_numbers
from registry.leases.abandoned import AbandonedHolds
from registry.leases.company import Company
from registry.leases.place import AgreedPlace
from registry.logs.logs import open_logs
from registry.opening import open_store
from registry.revisions.recovery import Recovery
from registry.rights.following import PeopleFollowing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from registry.settings import RegistrySettings


_CLOSE_S = 10.0
_log = logging.getLogger("registry.core")


@asynccontextmanager
async def open_core(
    settings: RegistrySettings,
    *,
    live_gateways: Callable[[], int] = lambda: 1,
    behind: Callable[[int], tuple[str, ...]] = lambda _: (),
    wall: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
    die: Callable[[], None] = lambda: os._exit(70),
) -> AsyncIterator[Core]:
    """Opens the store, migrates, loads, starts committer, sweep, ticks and retention; ends them in order.

    behind: the live gateways that do not run a revision. die: called when one of the tasks ends with an error. Without
    the committer every later write would wait for ever, and without the sweep no lease would ever end, so the process
    goes and its supervisor starts another (70: EX_SOFTWARE of sysexits). Raises StartRefused: one clear line.
    """
    async with (
        open_store(settings) as (store, shared),
        open_numbers(settings) as numbers,
        open_logs(settings, wall) as lines,
        open_calls(settings) as calls,
    ):
        company = None if shared is None else Company(store, has_redis=bool(settings.redis_url))
        if company is not None:
            await company.take()
        place = AgreedPlace(store)
        core = await assemble(settings, store, shared, numbers, lines, calls, place, live_gateways, behind, wall, clock)
        await place.settle()
        committer = spawn(core.revisions.run(), name="committer")
        committer.add_done_callback(lambda task: _end_if_failed(task, die))
        background = [
            spawn(core.live.run(), name="leases over replicas"),
            spawn(place.run(), name="place where leases are shared"),
            spawn(core.bus.run(), name="bus"),
            spawn(core.books.run(), name="book of shared limits"),
            spawn(core.leases.run(), name="lease sweep"),
            spawn(AbandonedHolds(store, core.live).run(), name="abandoned holds"),
            spawn(core.replicas.run(), name="replicas"),
            spawn(core.checks.run(), name="health checks"),
            spawn(core.checks.write(), name="findings of health checks"),
            spawn(core.feed.run(), name="feed ticks"),
            spawn(core.retention.run(), name="log retention"),
            spawn(core.identity.run(), name="identities"),
            spawn(core.issuer.run(), name="certificates that the mesh issues"),
            spawn(core.watching.insight.ingest.run(), name="reports of numbers"),
            spawn(core.watching.insight.rolling.run(), name="points of numbers"),
            spawn(core.watching.notifications.run(), name="messages of alerts"),
            spawn(core.watching.logs.intake.run(), name="lines of logs"),
            spawn(core.watching.logs.forwarding.run(), name="logs to a collector"),
            spawn(core.watching.logs.run(), name="retention of logs"),
            spawn(core.watching.rollouts.run(), name="rollouts"),
            spawn(core.watching.alerts.run(), name="alerts"),
            spawn(Recovery(store).run(), name="recovery of the store"),
            spawn(core.callers.people.run(), name="uses of sessions"),
        ]
        if core.following is not None:
            background.append(spawn(core.following.run(), name="store poll"))
            background.append(
                spawn(PeopleFollowing(core.view, store, time.time).run(), name="people of other registries")
            )
        if company is not None:
            background.append(spawn(company.run(), name="lock of those who share leases"))
        if core.watching.shared_calls is not None:
            background.append(spawn(core.watching.shared_calls.run(), name="calls that gateways tell of"))
            background.append(spawn(core.watching.shared_calls.forget(), name="retention of calls"))
        if core.callers.federation is not None:
            background.append(spawn(core.callers.federation.run(), name="keys of issuers outside"))
        for task in background:
            task.add_done_callback(lambda task: _end_if_failed(task, die))
        try:
            yield core
        finally:
            for task in background:
                task.cancel()
            core.revisions.close()
            await asyncio.wait([committer, *background], timeout=_CLOSE_S)


def _end_if_failed(task: asyncio.Task[None], die: Callable[[], None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("%s failed; the process ends", task.get_name(), exc_info=task.exception())
        die()

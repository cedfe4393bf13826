"""A registry from its start to its end, without a surface."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

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
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from registry.settings import RegistrySettings
    from registry.store.interface import Store


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
        background = [spawn(each, name=name) for name, each in _background(core, store, place, company)]
        for task in background:
            task.add_done_callback(lambda task: _end_if_failed(task, die))
        try:
            yield core
        finally:
            for task in background:
                task.cancel()
            core.revisions.close()
            await asyncio.wait([committer, *background], timeout=_CLOSE_S)


def _background(
    core: Core, store: Store, place: AgreedPlace, company: Company | None
) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """What runs beside the committer until the end, each with its name."""
    logs, calls, federation = core.watching.logs, core.watching.shared_calls, core.callers.federation
    yield "leases over replicas", core.live.run()
    yield "place where leases are shared", place.run()
    yield "bus", core.bus.run()
    yield "book of shared limits", core.books.run()
    yield "lease sweep", core.leases.run()
    yield "abandoned holds", AbandonedHolds(store, core.live).run()
    yield "replicas", core.replicas.run()
    yield "health checks", core.checks.run()
    yield "findings of health checks", core.checks.write()
    yield "feed ticks", core.feed.run()
    yield "log retention", core.retention.run()
    yield "identities", core.identity.run()
    yield "certificates that the mesh issues", core.issuer.run()
    yield "reports of numbers", core.watching.insight.ingest.run()
    yield "points of numbers", core.watching.insight.rolling.run()
    yield "messages of alerts", core.watching.notifications.run()
    yield "lines of logs", logs.intake.run()
    yield "logs to a collector", logs.forwarding.run()
    yield "retention of logs", logs.run()
    yield "rollouts", core.watching.rollouts.run()
    yield "alerts", core.watching.alerts.run()
    yield "recovery of the store", Recovery(store).run()
    yield "uses of sessions", core.callers.people.run()
    if core.following is not None:
        yield "store poll", core.following.run()
        yield "people of other registries", PeopleFollowing(core.view, store, time.time).run()
    if company is not None:
        yield "lock of those who share leases", company.run()
    if calls is not None:
        yield "calls that gateways tell of", calls.run()
        yield "retention of calls", calls.forget()
    if federation is not None:
        yield "keys of issuers outside", federation.run()


def _end_if_failed(task: asyncio.Task[None], die: Callable[[], None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("%s failed; the process ends", task.get_name(), exc_info=task.exception())
        die()

"""Workers that take the place of workers, slot by slot, so that there is always somebody who accepts.

The new worker reads the sockets before the old one lets go of them, and goes on with its limits.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from gateway.channel import Buckets
from gateway.compiler.filters import SpentLimits
from gateway.supervisor.slot import Slot
from gateway.supervisor.worker_process import WorkerProcess
from meshway.tasks import spawn

READY_S: Final = 30.0
HAND_OVER_S: Final = 1.0

_log = logging.getLogger("meshway.gateway.supervisor")


class Reloading:
    """start: a worker for a slot; raises OSError. is_ending: asked before each step. on_changed: a slot has another
    worker. on_reloaded: all slots have new workers, or keep theirs."""

    def __init__(
        self,
        slots: Sequence[Slot],
        drain_s: float,
        start: Callable[[Slot], Awaitable[WorkerProcess]],
        is_ending: Callable[[], bool],
        on_changed: Callable[[], None],
        on_reloaded: Callable[[], None],
    ) -> None:
        self._slots, self._drain_s, self._start, self._is_ending = slots, drain_s, start, is_ending
        self._on_changed, self._on_reloaded = on_changed, on_reloaded
        self._is_wanted = self._is_running = False

    def want(self) -> None:
        """Asked while one is under way, another follows it."""
        self._is_wanted = True
        if not self._is_running:
            spawn(self._run(), name="reload the workers")

    async def _run(self) -> None:
        self._is_running = True
        try:
            while self._is_wanted and not self._is_ending():
                self._is_wanted = False
                for slot in self._slots:
                    await self.relieve(slot)
        finally:
            self._is_running = False
            self._on_reloaded()

    async def relieve(self, slot: Slot) -> None:
        """Its worker, by a new one."""
        old = slot.current
        if old is None or self._is_ending():
            return  # a fresh one is on its way
        try:
            new = await self._start(slot)
        except OSError as error:
            _log.error("slot %d keeps its worker: no new one can be started (%s)", slot.index, error)
            return
        try:
            async with asyncio.timeout(READY_S):
                await new.ready.wait()
        except TimeoutError:
            _log.error("slot %d keeps its worker: the new one was not ready within %.0f s", slot.index, READY_S)
            new.kill()
            return
        if self._is_ending():
            return
        if not new.is_ready:
            _log.error("slot %d keeps its worker: the new one ended before it was ready", slot.index)
            return
        # A reload shall give nobody a full bucket who had spent his.
        if limits := await spent_limits(old):
            new.send(Buckets(limits=limits))
        self._change_over(slot, old, new)

    def _change_over(self, slot: Slot, old: WorkerProcess, new: WorkerProcess) -> None:
        staying, leaving = new, slot.current or old
        if leaving is not old and leaving.is_ready:  # the old one died meanwhile, and its successor serves already
            staying, leaving = leaving, new
        slot.current = staying
        if not leaving.gone.is_set():
            leaving.drain(self._drain_s, self._drain_s)
        _log.info("slot %d: pid %d takes over, pid %d leaves", slot.index, staying.pid, leaving.pid)
        self._on_changed()


async def spent_limits(worker: WorkerProcess | None) -> SpentLimits:
    """What its limits have given away; nothing where there is no worker, or none that says so in time."""
    if worker is None:
        return []
    try:
        return msgspec.convert(await worker.ask("limits", HAND_OVER_S), SpentLimits)
    except (TimeoutError, msgspec.ValidationError) as error:
        _log.warning("slot %d: rate limits begin anew (%s)", worker.slot, error)
        return []

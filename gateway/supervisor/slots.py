"""The worker slots of a host: each has its sockets for good and one worker at a time that reads them.

A worker that dies is replaced at once, later and later when it keeps dying; one that is stuck is killed, and so dies.
How workers take the place of workers: reloading.py.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.channel import AskFrame, ChannelFrame, ListenerSpot, NonceFrame, Start, Told
from gateway.hot_path import HotPath
from gateway.settings import WorkerSettings
from gateway.supervisor.columns import Columns
from gateway.supervisor.reloading import READY_S, Reloading
from gateway.supervisor.slot import Slot
from gateway.supervisor.worker_process import InstanceKey, WorkerProcess
from gateway.telemetry.counters import Totals
from gateway.upstream.transition import Transition
from meshway.tasks import spawn

# A worker that served this long did not die of its start or of its tables.
SETTLED_S: Final = 1.0
MIN_WAIT_S: Final = 0.1
MAX_WAIT_S: Final = 10.0
WATCH_S: Final = 1.0
END_IDLE_S: Final = 1.0  # nobody takes over at the end, so idle connections are not worth waiting for

_log = logging.getLogger("meshway.gateway.supervisor")


class EndedAtOnce(OSError):
    """The process was gone before it could be told anything."""


class Slots:
    """snapshot: frames of what is held now, None when nothing is; before, in_force: what else a new worker must know,
    before it and after it.

    on_changed: something to show or to report is different. on_applied: a worker has new tables. on_transition: what
    one found out. on_answered: whom its callers were answered by. on_told: single calls. on_asked: what its limits
    want. on_missing_key: of which URL's set a caller has named a key that it lacks. on_nonce: one that a signed request
    brings. on_reloaded: all slots have new workers, or keep theirs.

    reset_key: as in `Start`. columns: of the host table.
    """

    def __init__(
        self,
        slots: list[Slot],
        run_folder: Path,
        settings: WorkerSettings,
        totals: Totals,
        snapshot: Callable[[], Iterator[bytes] | None],
        before: Callable[[], list[ChannelFrame]],
        in_force: Callable[[], list[ChannelFrame]],
        on_changed: Callable[[], None],
        on_applied: Callable[[WorkerProcess], None],
        on_transition: Callable[[WorkerProcess, Transition], None],
        on_answered: Callable[[list[InstanceKey]], None],
        on_told: Callable[[Told], None],
        on_asked: Callable[[WorkerProcess, AskFrame], None],
        on_missing_key: Callable[[str], None],
        on_nonce: Callable[[WorkerProcess, NonceFrame], None],
        on_reloaded: Callable[[], None],
    ) -> None:
        self.slots = slots
        self.workers: set[WorkerProcess] = set()
        self.restarts = 0
        self.is_ending = False
        self._folder = run_folder
        self._settings = settings
        self._totals = totals
        self._snapshot = snapshot
        self._before = before
        self._in_force = in_force
        self._on_changed = on_changed
        # What workers say (worker_process.Owner) that goes on as it is.
        self.on_applied = on_applied
        self.on_transition = on_transition
        self.on_answered = on_answered
        self.on_told = on_told
        self.on_asked = on_asked
        self.on_missing_key = on_missing_key
        self.on_nonce = on_nonce
        self.columns = Columns(run_folder / "host_table", len(slots))
        self._reloading = Reloading(
            slots, settings.drain_s, self._spawn, lambda: self.is_ending, on_changed, on_reloaded
        )
        self._spawned = 0
        self.reset_key = secrets.token_bytes(32)

    # What is known.

    @property
    def running(self) -> list[WorkerProcess]:
        """The workers that accept."""
        return [s.current for s in self.slots if s.current is not None and s.current.is_ready]

    @property
    def missing(self) -> str:
        """Why not every slot serves, or ""."""
        running = self.running
        if len(running) < len(self.slots):
            return f"{len(running)} of {len(self.slots)} workers accept"
        without = [worker for worker in running if not worker.has_tables]
        return f"{len(without)} of {len(running)} workers have no tables" if without else ""

    @property
    def hot_path(self) -> HotPath:
        """What the workers run: compiled only if all do."""
        runs = [worker.hot_path for worker in self.running]
        return min(runs, key=lambda one: one.is_compiled, default=HotPath(is_compiled=False))

    @property
    def revision(self) -> int:
        """What all workers run."""
        return min((worker.revision for worker in self.running), default=0)

    def counters(self) -> list[Path]:
        return [worker.counters for worker in self.workers]

    # What is done.

    async def start(self) -> None:
        """Raises OSError when no process can be started."""
        for slot in self.slots:
            try:
                slot.current = await self._spawn(slot)
            except EndedAtOnce:
                spawn(self._replace(slot, has_served=False), name=f"fill slot {slot.index}")

    async def watch(self) -> None:
        """Kills the workers that are stuck: they hold callers and a queue, and serve neither.

        Time is counted in turns of this loop: when this process itself was stopped, nobody else is to blame.
        """
        while True:
            await asyncio.sleep(WATCH_S)
            for worker in list(self.workers):
                worker.silent_turns += 1
                patience_s = self._settings.stuck_s if worker.was_heard else READY_S
                if worker.silent_turns * WATCH_S >= patience_s:
                    _log.error("worker %d (pid %d) is stuck: silent for %.0f s", worker.slot, worker.pid, patience_s)
                    worker.kill()

    def send_encoded(self, frames: bytes, *, but: WorkerProcess | None = None) -> None:
        for worker in self.workers:
            if worker is not but:
                worker.send_encoded(frames)

    def send_snapshot(self) -> None:
        for worker in self.workers:
            frames = self._snapshot()
            if frames is not None:
                worker.send_snapshot(frames)

    def show(self, own: Sequence[tuple[ListenerSpot, Sequence[socket.socket]]]) -> None:
        """Listeners beside those that every gateway has, each with a socket a slot: these and no others."""
        for slot in self.slots:
            slot.own = [(spot, sockets[slot.index]) for spot, sockets in own]
        for worker in self.workers:
            if not worker.is_draining:
                worker.show(self.slots[worker.slot].own)

    def reload(self) -> None:
        """Asked while one is under way, another follows it."""
        for worker in self.workers:
            worker.reopen_logs()
        self._reloading.want()

    async def end(self, drain_s: float) -> None:
        """All workers drain and leave. A second call, or the end of the drain time, kills what is left."""
        if self.is_ending:
            for worker in self.workers:
                worker.kill()
            return
        self.is_ending = True
        for worker in self.workers:
            worker.drain(END_IDLE_S, drain_s, is_last=True)
        for slot in self.slots:
            slot.close()
        await self._until_gone(drain_s)

    async def hand_over(self, idle_s: float, drain_s: float, shared: int) -> None:
        """To another supervisor, whose workers read the sockets already: ours drain, and what queues is theirs. shared:
        of so many slots; who queues at a further one is taken in."""
        self.is_ending = True
        for worker in self.workers:
            worker.drain(idle_s, drain_s, is_last=worker.slot >= shared)
        for slot in self.slots:
            slot.close()
        await self._until_gone(drain_s)

    # What workers say (worker_process.Owner).

    def on_ready(self, worker: WorkerProcess) -> None:
        self._on_changed()

    def on_leaving(self, worker: WorkerProcess) -> None:
        slot = self.slots[worker.slot]
        if slot.current is worker and not self.is_ending:
            spawn(self._reloading.relieve(slot), name=f"relieve the worker of slot {slot.index}")

    def on_gone(self, worker: WorkerProcess) -> None:
        self.workers.discard(worker)
        self.columns.give_back(worker.column)
        self._totals.fold(worker.counters)
        slot = self.slots[worker.slot]
        if slot.current is worker:
            slot.current = None
            if not self.is_ending:
                self.restarts += 1
                now = asyncio.get_running_loop().time()
                has_served = worker.ready_at is not None and now - worker.ready_at >= SETTLED_S
                spawn(self._replace(slot, has_served=has_served), name=f"replace the worker of slot {slot.index}")
        self._on_changed()

    # How.

    async def _spawn(self, slot: Slot) -> WorkerProcess:
        """Raises OSError when there will be none, EndedAtOnce when there was one for a moment."""
        column = await self.columns.take()
        try:
            self._refuse_at_the_end()
        except OSError:
            self.columns.give_back(column)
            raise
        self._spawned += 1
        start = Start(
            settings=self._settings,
            slot=slot.index,
            column=column,
            workers=len(self.slots),
            host_table=str(self.columns.path),
            counters=str(self._folder / f"counters-{slot.index}-{self._spawned}"),
            reset_key=self.reset_key,
        )
        worker = WorkerProcess(slot.index, start, self)
        try:
            await worker.spawn(slot.sockets)
        except OSError:
            self.columns.give_back(column)
            raise
        try:
            self._refuse_at_the_end()
        except OSError:
            worker.kill()
            raise
        if worker.gone.is_set():
            raise EndedAtOnce("it ended at once")
        # In one go: a revision that came between snapshot and `workers` would reach everybody but this one.
        worker.begin(self._snapshot(), self._before())
        for frame in self._in_force():
            worker.send(frame)
        worker.show(slot.own)
        self.workers.add(worker)
        return worker

    async def _until_gone(self, drain_s: float) -> None:
        try:
            async with asyncio.timeout(drain_s + 2.0):
                while self.workers:
                    await next(iter(self.workers)).gone.wait()
        except TimeoutError:
            for worker in self.workers:
                worker.kill()

    def _refuse_at_the_end(self) -> None:
        if self.is_ending:
            raise OSError("the gateway ends")

    async def _replace(self, slot: Slot, *, has_served: bool) -> None:
        """has_served: the one before did not die of its start or of its tables."""
        slot.crashes = 1 if has_served else slot.crashes + 1
        while not self.is_ending:
            if slot.crashes > 1:
                await asyncio.sleep(min(MIN_WAIT_S * 2 ** (slot.crashes - 2), MAX_WAIT_S))
            if slot.current is not None or self.is_ending:
                return  # a reload has brought one meanwhile
            try:
                fresh = await self._spawn(slot)
            except OSError as error:
                slot.crashes += 1
                _log.error("cannot start a worker for slot %d: %s", slot.index, error)
                continue
            self._seat(slot, fresh)
            return

    def _seat(self, slot: Slot, fresh: WorkerProcess) -> None:
        """In an empty slot; when a reload has filled it in the meantime, that one stays."""
        if slot.current is None:
            slot.current = fresh
        else:
            fresh.drain(self._settings.drain_s, self._settings.drain_s)

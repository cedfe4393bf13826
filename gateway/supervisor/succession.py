"""One supervisor after another on the same sockets: what each side does with its parts (docs/internals/reload.md)."""

import asyncio
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from gateway.channel import Buckets, Channel, Leaving, NonceFrame, NonceTold, TransitionFrame, encode
from gateway.settings import own_version
from gateway.supervisor.handing_over import HandingOver
from gateway.supervisor.offer import Offer, Taken
from gateway.supervisor.reloading import spent_limits
from gateway.supervisor.slots import END_IDLE_S
from gateway.supervisor.taking_over import TakingOver
from gateway.supervisor.worker_process import WorkerProcess
from gateway.upstream.transition import Transition
from meshway.problem import Problem
from meshway.tasks import spawn

if TYPE_CHECKING:
    from gateway.supervisor.place import Place
    from gateway.supervisor.supervisor import Supervisor

READY_S: Final = 60.0  # for the workers of who takes over
MOST_UNJUDGED: Final = 10_000  # nonces, while their book changes hands

_log = logging.getLogger("meshway.gateway.supervisor")


class Succession:
    """Of one supervisor: first it may take another one's place, later another one may take its own."""

    def __init__(self, supervisor: "Supervisor", place: "Place") -> None:
        self._of = supervisor
        self._place = place
        self._handing: HandingOver | None = None
        self._taking: TakingOver | None = None
        self._shared = 0  # slots whose sockets the other one has as well
        self._unjudged: list[tuple[WorkerProcess, NonceFrame]] = []

    @property
    def has_place(self) -> bool:
        """Not yet where it is taking it, and no more where another one has: data folder and registry hear of this
        gateway from one of them."""
        is_taken = self._handing is not None and self._handing.is_taken
        return not is_taken and (self._taking is None or self._taking.is_handed)

    # The place of another one.

    async def begin(self, taken: Taken | None) -> None:
        """Before the workers start."""
        of = self._of
        if taken is None:
            of.nonces.load()
            return
        self._taking = TakingOver(
            self._on_transition, self._on_buckets, self._on_handed, of.slots.columns.inherit, self._judge
        )
        self._shared = taken.offer.slots
        await self._taking.open(taken.link)
        of.listeners.inherited = dict(taken.own)
        if taken.offer.reset_key:  # callers of HTTP/3 believe what this was told to them by
            of.slots.reset_key = taken.offer.reset_key
        if taken.offer.host_table:
            of.slots.columns.borrow(Path(taken.offer.host_table), taken.offer.columns)
        of.service_manager.inherit(taken.offer.manager)

    async def complete(self) -> bool:
        """Until all workers serve and the other one has let go; False: this one was told to end before. Raises Problem:
        the other one goes on, and ours have left.

        Once it was told that they serve it may have begun to drain, so then only it can say that it does not."""
        if self._taking is None:
            return True
        try:
            async with asyncio.timeout(READY_S):
                await self._taking.told.wait()
        except TimeoutError:
            await self._give_way(f"{self._of.slots.missing} after {READY_S:.0f} s")
        await self._taking.settled.wait()
        if not self._taking.is_handed and not self._of.slots.is_ending:
            await self._give_way("it has closed the link")
        return self._taking.is_handed

    async def _give_way(self, reason: str) -> NoReturn:
        self.give_up()
        # Its workers may have served for a minute: whom they have taken in is answered.
        await self._of.slots.hand_over(END_IDLE_S, self._of.settings.worker.drain_s, self._shared)
        raise Problem(503, "not_taken_over", f"{reason}, so the gateway that runs goes on")

    def look(self) -> None:
        """Workers have changed."""
        if self._taking is not None and not self._of.slots.missing:
            self._taking.ready(self._of.slots.revision)

    def give_up(self) -> None:
        """It is told to end."""
        if self._taking is not None:
            self._taking.give_up()

    def _on_transition(self, transition: Transition) -> None:
        self._of.transitions.take(transition)
        self._of.slots.send_encoded(encode(TransitionFrame(transition=transition)))

    def _on_buckets(self, slot: int, buckets: Buckets) -> None:
        worker = self._of.slots.slots[slot].current
        if worker is not None and buckets.limits:
            worker.send(buckets)

    def _on_handed(self) -> None:
        self._of.nonces.load()
        waiting, self._unjudged = self._unjudged, []
        for worker, frame in waiting:
            self.on_nonce(worker, frame)

    def on_nonce(self, worker: WorkerProcess, frame: NonceFrame) -> None:
        """Judged by whoever has the book; while it changes hands, when it has."""

        def answer(is_fresh: bool) -> None:
            worker.send_encoded(encode(NonceTold(number=frame.number, is_fresh=is_fresh)))

        if self._handing is not None and self._handing.is_taken:
            self._handing.ask(frame, answer)
        elif self._taking is not None and not self._taking.is_handed:
            if len(self._unjudged) < MOST_UNJUDGED:
                self._unjudged.append((worker, frame))
            else:
                answer(False)
        else:
            answer(self._judge(frame))

    def _judge(self, frame: NonceFrame) -> bool:
        return self._of.nonces.use(frame.mark, frame.until)

    # Its own place, to another one.

    def listen(self, lock: int, admin: socket.socket) -> None:
        """Raises OSError. lock: of the data folder."""
        of = self._of
        if of.settings.is_child:
            return

        def offer() -> tuple[Offer, list[int]]:
            opened, slots = of.listeners.opened(), of.slots.slots
            names = list(slots[0].sockets)
            columns = of.slots.columns
            told = Offer(
                own_version(),
                len(slots),
                names,
                list(opened),
                of.slots.reset_key,
                of.service_manager.manager,
                str(columns.path),
                columns.lend(),
            )
            sockets = [slot.sockets[name] for name in names for slot in slots]
            sockets += [each for group in opened.values() for each in group]
            return told, [lock, admin.fileno(), *(each.fileno() for each in sockets)]

        def go_on() -> None:
            of.keeper.replaced()  # whatever the other one has written
            self._place.keep_files()
            of.slots.columns.end_loan(of.settings.worker.drain_s)

        def leave(channel: Channel, pid: int) -> None:
            of.service_manager.succeeded_by(pid)
            spawn(self._leave(channel), name="leave to another supervisor")

        self._handing = HandingOver(
            of.settings.data_dir / "run",
            offer,
            self._place.hold_files,
            go_on,
            leave,
            lambda: [TransitionFrame(transition=each) for each in of.transitions.in_force()],
        )
        self._handing.listen()

    async def _leave(self, channel: Channel) -> None:
        of = self._of
        _log.info("another supervisor serves: this one drains")
        of.fall_silent()
        self.close()
        for slot in of.slots.slots:
            channel.send(Buckets(limits=await spent_limits(slot.current)))
        of.nonces.close()
        channel.send(Leaving())
        await of.leave()

    def close(self) -> None:
        if self._handing is not None:
            self._handing.close()

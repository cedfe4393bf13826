"""The place of a supervisor that runs, taken: its sockets are ours already, and when our workers read them it goes."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable
from typing import Final

from gateway.channel import Buckets, Channel, ChannelFrame, Leaving, NonceFrame, NonceTold, Ready, TransitionFrame
from gateway.supervisor.handing_over import peer_of
from gateway.upstream.transition import Transition
from meshway.tasks import spawn

ENDS_WITHIN_S: Final = 2.0  # of a process whose end of a link is closed

_log = logging.getLogger("meshway.gateway.supervisor")


class TakingOver:
    """on_transition: what it has found out. on_buckets: what the worker of a slot had spent of its limits, slot after
    slot. on_handed: from now on what only one may keep is ours. on_ended: the other one is gone. judge: of a nonce that
    a worker of its is shown.

    is_handed: the place is ours. told: that our workers serve. settled: it is ours, or was given up."""

    def __init__(
        self,
        on_transition: Callable[[Transition], None],
        on_buckets: Callable[[int, Buckets], None],
        on_handed: Callable[[], None],
        on_ended: Callable[[], None],
        judge: Callable[[NonceFrame], bool],
    ) -> None:
        self._on_transition, self._on_buckets = on_transition, on_buckets
        self._on_handed, self._on_ended, self._judge = on_handed, on_ended, judge
        self._channel = Channel(self._on_frame, self._on_closed)
        self._process: int | None = None  # descriptor of the one whose place it is, pidfd_open(2)
        self._slot = 0
        self.is_handed = False
        self.told = asyncio.Event()
        self.settled = asyncio.Event()

    async def open(self, link: socket.socket) -> None:
        link.setblocking(False)
        with contextlib.suppress(OSError, AttributeError):  # gone, or the system has none
            self._process = os.pidfd_open(peer_of(link).pid)
        await asyncio.get_running_loop().create_connection(lambda: self._channel, sock=link)

    def ready(self, revision: int) -> None:
        """All workers serve; asked again, nothing more is done."""
        if not self.told.is_set():
            self.told.set()
            self._channel.send(Ready(revision=revision))

    def give_up(self) -> None:
        """The other one goes on, where it has not left yet."""
        self._settle()
        self._channel.close()

    def _on_frame(self, frame: ChannelFrame) -> None:
        if isinstance(frame, TransitionFrame):
            self._on_transition(frame.transition)
        elif isinstance(frame, Buckets):
            self._on_buckets(self._slot, frame)
            self._slot += 1
        elif isinstance(frame, Leaving):
            self._be_handed()
        elif isinstance(frame, NonceFrame):
            self._channel.send(NonceTold(number=frame.number, is_fresh=self._judge(frame)))

    def _on_closed(self) -> None:
        if not self.settled.is_set():
            spawn(self._after_close(), name="see whether the supervisor before this one has ended")
        elif self.is_handed:
            self._on_ended()

    async def _after_close(self) -> None:
        """The place is ours if it is gone. One that closed the link and lives has understood something else, or was
        tired of waiting: it goes on, and a second one beside it would write to its data folder."""
        if await self._has_ended():
            self._be_handed()
            self._on_ended()
        elif not self.settled.is_set():
            self.give_up()

    async def _has_ended(self) -> bool:
        if self._process is None:
            return True
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        watched = os.dup(self._process)
        loop.add_reader(watched, ended.set)
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await ended.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(watched)
            os.close(watched)
        return True

    def _be_handed(self) -> None:
        if not self.settled.is_set():
            self.is_handed = True
            self._settle()
            self._on_handed()
            _log.info("the supervisor before this one drains")

    def _settle(self) -> None:
        self.settled.set()
        self.told.set()
        if self._process is not None:
            os.close(self._process)
            self._process = None

"""The place of a supervisor that runs, taken: its sockets are ours already, and when our workers read them it goes."""

import asyncio
import logging
import socket
from collections.abc import Callable

from gateway.channel import Buckets, Channel, ChannelFrame, Leaving, NonceFrame, NonceTold, Ready, TransitionFrame
from gateway.upstream.transition import Transition

_log = logging.getLogger("meshway.gateway.supervisor")


class TakingOver:
    """on_transition: what it has found out. on_buckets: what the worker of a slot had spent of its limits, slot after
    slot. on_handed: from now on what only one may keep is ours. judge: of a nonce that a worker of its is shown.

    is_handed: the place is ours. settled: it is, or was given up."""

    def __init__(
        self,
        on_transition: Callable[[Transition], None],
        on_buckets: Callable[[int, Buckets], None],
        on_handed: Callable[[], None],
        judge: Callable[[NonceFrame], bool],
    ) -> None:
        self._on_transition, self._on_buckets, self._on_handed, self._judge = (
            on_transition,
            on_buckets,
            on_handed,
            judge,
        )
        self._channel = Channel(self._on_frame, self._on_closed)
        self._has_told = False
        self._slot = 0
        self.is_handed = False
        self.settled = asyncio.Event()

    async def open(self, link: socket.socket) -> None:
        link.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self._channel, sock=link)

    def ready(self, revision: int) -> None:
        """All workers serve; asked again, nothing more is done."""
        if not self._has_told:
            self._has_told = True
            self._channel.send(Ready(revision=revision))

    def give_up(self) -> None:
        """The other one goes on, where it has not left yet."""
        self.settled.set()
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
        """It is gone, after it has drained or before."""
        self._be_handed()

    def _be_handed(self) -> None:
        if not self.settled.is_set():
            self.is_handed = True
            self.settled.set()
            self._on_handed()
            _log.info("the supervisor before this one drains")

"""A worker's listeners: opened once, drained once, until nobody is served any more or time is up.

Further ones come and go while the worker serves (own_listeners.py); one that goes is drained alone.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from gateway.listeners.crowds import Crowds
from gateway.listeners.sockets import BACKLOG, take_queued
from gateway.wire.listener_context import ListenerContext
from gateway.wire.proxied import before_handshake, caller_protocol
from meshway.handshakes import Handshakes
from meshway.tasks import spawn

# uvloop accepts one connection of a descriptor in a turn of its loop, and a turn costs as much as a connection: so a
# socket has several descriptors, of which one that finds nothing costs a system call.
AT_A_TURN: Final = 4
GOODBYE_S: Final = 1.0  # for words that were said at the very end of the drain to arrive
GONE_S: Final = 5.0  # beyond its drain time, for calls that still run at a listener that goes alone


class _Place:
    """A listener with its socket. handshakes: of one with TLS. is_last: nobody reads the socket after us."""

    def __init__(self, listener: ListenerContext, accepting: socket.socket, count: Callable[[str, bool], None]) -> None:
        self.listener, self.accepting = listener, accepting
        self.servers: list[asyncio.Server] = []
        self.is_draining = self.is_last = self.has_said_goodbye = False
        self.arriving = 0
        self.idle_until = self.end_at = 0.0
        self.handshakes: Handshakes | None = None
        self.crowds: Crowds | None = None
        if listener.tls is not None and listener.receiving is None:
            name = listener.name
            self.handshakes = Handshakes(
                name,
                listener.tls,
                self.connection,
                lambda has_failed: count(name, has_failed),
                prelude=partial(before_handshake, listener),
            )

    def connection(self) -> asyncio.Protocol:
        return caller_protocol(self.listener)

    async def open(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.is_draining:
            self.crowds = Crowds(self.listener, self.accepting)
        if self.handshakes is not None:
            if not self.is_draining:  # else its socket is closed already
                self.accepting.listen(BACKLOG)  # of a slot that came with another supervisor nobody has yet
                self.handshakes.open(self.accepting)
            return
        accepting = [self.accepting, *(self.accepting.dup() for _ in range(0 if self.is_draining else AT_A_TURN - 1))]
        for each in accepting:
            self.servers.append(await loop.create_server(self.connection, sock=each, backlog=BACKLOG))
        if self.is_draining:
            self._close()

    def drain(self, idle_until: float, end_at: float, *, is_last: bool) -> None:
        """Asked again, the shorter patience counts."""
        self.is_last = self.is_last or is_last
        if self.is_draining:
            self.idle_until, self.end_at = min(self.idle_until, idle_until), min(self.end_at, end_at)
            return
        self.is_draining = True
        self.idle_until, self.end_at = idle_until, end_at
        self._close()
        self.listener.start_drain()

    def _close(self) -> None:
        """Connections in the queue stay there: the slot's sockets live in the supervisor and the next worker.

        Where there is none, closing would reset them: they are accepted first, and told to close with their answer.
        """
        if self.is_last and (accepted := take_queued(self.accepting)):
            self.arriving += 1
            spawn(self._welcome(accepted), name="take in the queue")
        if self.crowds is not None:
            self.crowds.close()
            self.crowds = None
        for server in self.servers:
            server.close()
        self.servers.clear()
        if self.handshakes is not None:
            self.handshakes.close()
            self.accepting.close()

    async def _welcome(self, accepted: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for connection in accepted:
            if self.handshakes is not None:
                self.handshakes.begin(connection)
                continue
            try:
                await loop.connect_accepted_socket(self.connection, connection)
            except OSError:
                connection.close()  # the caller has left
        self.arriving -= 1

    def beat(self, now: float) -> None:
        """Lets addresses in again."""
        if self.crowds is not None:
            self.crowds.beat(now)

    def is_over(self, now: float) -> bool:
        """Goes on with the drain. Whether nobody is served any more."""
        is_shaking = self.handshakes is not None and self.handshakes.in_flight
        if not self.arriving and not is_shaking and not self.listener.connections:
            return True
        if now >= self.end_at:
            if not self.has_said_goodbye:
                self.has_said_goodbye = True
                if self.listener.say_goodbye():
                    self.end_at = now + GOODBYE_S
                    return False
            if self.handshakes is not None:
                self.handshakes.abort()
            self.listener.abort_all()
            return True
        if now >= self.idle_until:
            self.listener.close_idle()
        return False


class _DatagramPlace(_Place):
    """A listener of datagrams with its socket. What waits in the socket is the next worker's."""

    def __init__(self, listener: ListenerContext, accepting: socket.socket, count: Callable[[str, bool], None]) -> None:
        super().__init__(listener, accepting, count)
        assert listener.receiving is not None
        self._receiver = listener.receiving(listener, accepting)

    async def open(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.is_draining:
            self._receiver.open()

    def _close(self) -> None:
        self._receiver.drain(is_last=self.is_last)

    def is_over(self, now: float) -> bool:
        is_over = super().is_over(now)
        if is_over:
            self._receiver.close()
        return is_over

    def beat(self, now: float) -> None:
        self._receiver.beat(now)


class Listening:
    """listeners: all, those that drain among them. closed: its process may end.

    count: told of the handshakes of a listener with TLS, each with its name and whether it failed. on_gone: a listener
    that was drained alone serves nobody any more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_open: Callable[[], None],
        count: Callable[[str, bool], None] = lambda *_: None,
        on_gone: Callable[[ListenerContext], None] = lambda _: None,
    ) -> None:
        self.listeners: list[ListenerContext] = []
        self.closed = asyncio.Event()
        self._count, self._on_gone = count, on_gone
        self._loop = loop
        self._places: list[_Place] = []
        self._on_open = on_open
        self._is_serving = False
        self._has_served = False
        self._is_draining = False
        self._is_last = False

    def add(self, listener: ListenerContext, accepting: socket.socket) -> None:
        """It is opened with the others, or at once where these are open."""
        if self._is_draining:
            accepting.close()
            return
        kind = _Place if listener.receiving is None else _DatagramPlace
        place = kind(listener, accepting, self._count)
        self._places.append(place)
        beside = next((each for each in self.listeners if each.name == listener.name), None)
        if beside is not None:
            listener.count_with(beside)
        self.listeners.append(listener)
        if self._has_served:
            spawn(place.open(self._loop), name=f"open listener {listener.name}")

    def remove(self, listener: ListenerContext, drain_s: float) -> None:
        """It is drained alone, for good."""
        now = time.monotonic()
        for place in self._places:
            if place.listener is listener:
                place.drain(now + drain_s, now + drain_s + GONE_S, is_last=True)

    def connections(self) -> dict[str, int]:
        """By the listener's name: of one there may be several, while one drains, or for HTTP/3 beside others."""
        counted = Counter[str]()
        for each in self.listeners:
            counted[each.name] += len(each.connections)
        return dict(counted)

    def open(self) -> None:
        """Soon; asked again, nothing more is done."""
        if not self._is_serving:
            self._is_serving = True
            spawn(self._serve(), name="open the listeners")

    async def _serve(self) -> None:
        opened = 0
        while opened < len(self._places):  # more may come meanwhile
            await self._places[opened].open(self._loop)
            opened += 1
        self._has_served = True
        self._on_open()

    def drain(self, idle_s: float, end_s: float, *, is_last: bool) -> None:
        """All of them. Asked again, the shorter patience counts."""
        now = time.monotonic()
        self._is_last = self._is_last or is_last
        self._is_draining = True
        for place in self._places:
            place.drain(now + idle_s, now + end_s, is_last=is_last)
        if not self._places:
            self.closed.set()

    def beat(self, now: float) -> None:
        """Of each listener, and of the drain, some times a second."""
        for place in self._places:
            place.beat(now)
        over = [place for place in self._places if place.is_draining and place.is_over(now)]
        if not self._is_draining:
            for place in over:
                self._places.remove(place)
                self.listeners.remove(place.listener)
                place.listener.count_alone()
                self._on_gone(place.listener)
        elif len(over) == len(self._places) and not (self._is_last and not self._has_served):
            self.closed.set()

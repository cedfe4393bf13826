"""A worker's listeners: opened once, drained once, until nobody is served any more or time is up."""

import asyncio
import socket
import time
from collections.abc import Callable

from gateway.listeners.handshakes import Handshakes
from gateway.listeners.sockets import BACKLOG, take_queued
from gateway.wire.http1.listener_context import ListenerContext
from gateway.wire.http1.server import ServerProtocol
from meshway.tasks import spawn


class Listening:
    """listeners: by the order of their sockets; empty until the worker is built. closed: its process may end.

    count: told of the handshakes of a listener with TLS, each with its name and whether it failed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: tuple[socket.socket, ...],
        on_open: Callable[[], None],
        count: Callable[[str, bool], None] = lambda *_: None,
    ) -> None:
        self.listeners: tuple[ListenerContext, ...] = ()
        self._count = count
        self._handshakes: dict[ListenerContext, Handshakes] = {}
        self.closed = asyncio.Event()
        self._loop = loop
        self._sockets = sockets
        self._on_open = on_open
        self._servers: list[asyncio.Server] = []
        self._is_serving = False
        self._has_served = False
        self._is_draining = False
        self._is_last = False  # nobody reads the sockets after us
        self._arriving = 0
        self._idle_until = self._end_at = 0.0

    def open(self) -> None:
        """Soon; asked again, nothing more is done."""
        if not self._is_serving:
            self._is_serving = True
            spawn(self._serve(), name="open the listeners")

    async def _serve(self) -> None:
        for listener, accepting in zip(self.listeners, self._sockets, strict=True):
            if listener.tls is not None:
                if not self._is_draining:  # else its socket is closed already
                    self._shaking(listener).open(accepting)
                continue
            factory = _factory(listener)
            self._servers.append(await self._loop.create_server(factory, sock=accepting, backlog=BACKLOG))
        self._has_served = True
        self._on_open()
        if self._is_draining:
            self._close_servers()

    def drain(self, idle_s: float, end_s: float, *, is_last: bool) -> None:
        """Asked again, the shorter patience counts."""
        now = time.monotonic()
        self._is_last = self._is_last or is_last
        if self._is_draining:
            self._idle_until = min(self._idle_until, now + idle_s)
            self._end_at = min(self._end_at, now + end_s)
            return
        self._is_draining = True
        self._idle_until, self._end_at = now + idle_s, now + end_s
        self._close_servers()
        for listener in self.listeners:
            listener.start_drain()
        if not self.listeners:
            self.closed.set()

    def _close_servers(self) -> None:
        """Connections in the queues stay there: the slot's sockets live in the supervisor and the next worker.

        Where there is none, closing would reset them: they are accepted first, and told to close with their answer.
        """
        if self._is_last and self.listeners:
            for listener, accepting in zip(self.listeners, self._sockets, strict=True):
                if accepted := take_queued(accepting):
                    self._arriving += 1
                    spawn(self._welcome(listener, accepted), name="take in the queue")
        for server in self._servers:
            server.close()
        self._servers.clear()
        for listener, accepting in zip(self.listeners, self._sockets, strict=False):
            if listener.tls is not None:
                self._shaking(listener).close()
                accepting.close()

    def _shaking(self, listener: ListenerContext) -> Handshakes:
        """Those of a listener with TLS."""
        known = self._handshakes.get(listener)
        if known is None:
            assert listener.tls is not None
            name = listener.name
            known = self._handshakes[listener] = Handshakes(
                name, listener.tls, _factory(listener), lambda has_failed: self._count(name, has_failed)
            )
        return known

    async def _welcome(self, listener: ListenerContext, accepted: list[socket.socket]) -> None:
        if listener.tls is not None:
            for connection in accepted:
                self._shaking(listener).begin(connection)
            self._arriving -= 1
            return
        factory = _factory(listener)
        for connection in accepted:
            try:
                await self._loop.connect_accepted_socket(factory, connection)
            except OSError:
                connection.close()  # the caller has left
        self._arriving -= 1

    def beat(self, now: float) -> None:
        """Goes on with the drain, some times a second."""
        if not self._is_draining:
            return
        is_shaking = any(each.in_flight for each in self._handshakes.values())
        is_waiting = self._arriving or is_shaking or (self._is_last and not self._has_served)
        if not is_waiting and not any(listener.connections for listener in self.listeners):
            self.closed.set()
        elif now >= self._end_at:
            for each in self._handshakes.values():
                each.abort()
            for listener in self.listeners:
                listener.abort_all()
            self.closed.set()
        elif now >= self._idle_until:
            for listener in self.listeners:
                listener.close_idle()


def _factory(listener: ListenerContext) -> Callable[[], ServerProtocol]:
    return lambda: ServerProtocol(listener)

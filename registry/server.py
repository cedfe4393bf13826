"""uvicorn as it carries our connections: it accepts and stops, and nothing of HTTP is its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING, cast

import uvicorn

from meshway.handshakes import Handshakes
from registry.core import Core
from registry.machine.protocol import RegistryConnection
from registry.machine.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uvicorn.server import ServerState

    from registry.encryption import Encryption


def connections_of(surface: Surface) -> type[asyncio.Protocol]:
    """uvicorn takes a class and makes one object a connection."""

    class Connection(RegistryConnection):
        def __init__(self, *, server_state: ServerState, **_: object) -> None:
            # uvicorn's own _loop is None for sockets that were given to it.
            super().__init__(surface, asyncio.get_running_loop())
            self._server_connections = cast("set[object]", server_state.connections)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._server_connections.add(self)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._server_connections.discard(self)

    return Connection


class Server(uvicorn.Server):
    """uvicorn raises the signal again after it has stopped, which would end the process before the core is closed."""

    def __init__(
        self, config: uvicorn.Config, core: Core, encryption: Encryption | None, *, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._core = core
        self._ready = ready
        self._handshakes = None
        if encryption is not None:
            # By hand: uvicorn's own would let any number of callers begin one, for a minute each.
            self._handshakes = Handshakes("registry", encryption, self._connection, lambda _: None)

    def _connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )
        return made

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._handshakes is None:
            await super().startup(sockets)
        else:
            await super().startup([])
            for accepting in sockets or []:
                accepting.setblocking(False)
                accepting.listen(self.config.backlog)
                self._handshakes.open(accepting)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._handshakes is not None:
            self._handshakes.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
        except (ValueError, RuntimeError):  # not the main thread: whoever runs us there stops us
            yield
            return
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self._core.is_stopping = self.should_exit = True


async def nothing(_scope: object, _receive: object, _send: object) -> None:
    """uvicorn wants an application; ours stands behind the connections."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not built for every platform
        return None
    return uvloop.new_event_loop

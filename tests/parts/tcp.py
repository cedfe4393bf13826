"""Connections of bytes in a test's own loop: a gateway of documents with Listeners of tcp and tls, and services."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from gateway.listeners.bytes import bytes_listener
from gateway.listeners.sockets import open_slots
from gateway.settings import WorkerSettings
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.wire.tcp.side import Side
from gateway.wire.tls import TlsFace
from gateway.worker.listening import Listening
from meshway.model.listener import BY_TLS, Spoken
from meshway.snapshot import Change
from tests.parts.changes import document
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def listener(name: str = "bytes", protocol: str = "tcp", **fields: Any) -> Change:
    return document("Listener", name, {"port": 1, "protocol": protocol} | fields, "mesh")


def tcp_route(*services: str, name: str = "t", **fields: Any) -> Change:
    destinations = [{"service": service} for service in services]
    return document("TcpRoute", name, {"listeners": ["bytes"], "destinations": destinations} | fields)


class Place:
    """port: of a Listener. lines: of the access log, of all of the gateway's connections."""

    def __init__(self, gateway: CompiledGateway, listening: Listening) -> None:
        self.gateway, self._listening = gateway, listening
        self.contexts: dict[str, ListenerContext] = {}
        self.ports: dict[str, int] = {}

    def open(self, name: str = "bytes", spoken: Spoken = "tcp", face: str = "edge") -> int:
        gateway = self.gateway
        assert gateway.relay is not None
        assert gateway.carriage is not None
        tls = TlsFace(gateway.wall) if spoken in BY_TLS else None
        settings = WorkerSettings(node="gw-test")
        context = bytes_listener(gateway.relay, settings, (), Places(), gateway.carriage, name, face, spoken, tls)
        gateway.serving.add(context)
        (accepting,) = open_slots("127.0.0.1", 0, 1, "spec.port")
        self.ports[name], self.contexts[name] = accepting.getsockname()[1], context
        self._listening.add(context, accepting)
        return self.ports[name]

    async def connect(self, name: str = "bytes", **how: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.ports[name], **how)

    async def ask(self, data: bytes = b"hello", name: str = "bytes", **how: Any) -> bytes:
        """What a connection brings that says this and then no more; b"" also of one that is reset."""
        reader, writer = await self.connect(name, **how)
        try:
            writer.write(data)
            if writer.can_write_eof():
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 20.0)
        except OSError:
            return b""
        finally:
            writer.close()

    def has_half_ended(self, name: str) -> bool:
        """Whether the caller of a connection has said all, and the gateway knows."""
        return any(cast(Side, each).has_ended for each in self.contexts[name].connections)

    async def line(self) -> dict[str, Any]:
        """Of the one connection that has ended since it was last asked."""
        await until(lambda: bool(self.gateway.lines), what="a line of the access log")
        return self.gateway.lines.pop()


@asynccontextmanager
async def carrying(*changes: Change, **how: Any) -> AsyncIterator[Place]:
    async with compiled_gateway(*changes, **how) as gateway:
        listening = Listening(asyncio.get_running_loop(), lambda: None)
        listening.open()
        place = Place(gateway, listening)
        try:
            yield place
        finally:
            listening.drain(0.0, 0.0, is_last=True)
            for context in place.contexts.values():
                context.abort_all()
            await until(lambda: not any(each.connections for each in place.contexts.values()), what="ended connections")


@asynccontextmanager
async def serving(handle: Handler, **how: Any) -> AsyncIterator[int]:
    """A service on a port."""
    writers: set[asyncio.StreamWriter] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, **how)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in tuple(writers):
            writer.transport.abort()


async def _echo(prefix: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(prefix)
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def echo(prefix: bytes = b"") -> Handler:
    """Says the prefix, and then what it hears, to its end."""
    return partial(_echo, prefix)

"""The DNS face on its sockets: UDP, and TCP for answers that are too large for it (RFC 7766)."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

import msgspec

from registry.dns.responder import Responder
from registry.dns.zone import Zone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from registry.view.view import View

MAX_CONNECTIONS: Final = 256
IDLE_S: Final = 10.0
# A question is 271 bytes at most; what else a client may add (EDNS options, RFC 6891) is short.
_MAX_QUERY: Final = 4096


class DnsSockets(msgspec.Struct, frozen=True):
    """Bound to one port: datagrams, and a listener for streams."""

    datagrams: socket.socket
    streams: socket.socket


class DnsCounts(msgspec.Struct):
    """Since the start. refused_streams: connections above MAX_CONNECTIONS."""

    answers: int = 0
    refused_streams: int = 0


@asynccontextmanager
async def dns_served(
    view: View, sockets: DnsSockets, counts: DnsCounts, *, idle_s: float = IDLE_S
) -> AsyncIterator[None]:
    """Answers while the block runs; the sockets are the caller's to close. idle_s: how long a connection may rest."""
    responder = Responder(Zone(view, _own_address(sockets.datagrams)), random.random)
    connections: set[_Connection] = set()
    loop = asyncio.get_running_loop()
    # Copies: a transport closes its socket, and the caller's survives for the next process.
    datagrams, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(responder, counts), sock=sockets.datagrams.dup()
    )
    server = await loop.create_server(
        lambda: _Connection(responder, counts, connections, idle_s), sock=sockets.streams.dup(), backlog=MAX_CONNECTIONS
    )
    try:
        yield
    finally:
        datagrams.close()
        server.close()
        for connection in list(connections):
            connection.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, responder: Responder, counts: DnsCounts) -> None:
        self._responder = responder
        self._counts = counts
        self._is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        # Where the network does not take answers fast enough, questions are dropped: clients ask again.
        if not self._is_full and (answer := self._responder.over_udp(data)) is not None:
            self._counts.answers += 1
            self._transport.sendto(answer, addr)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False


class _Connection(asyncio.Protocol):
    """Messages with two bytes of length before each. One that rests, or talks nonsense, is cut."""

    def __init__(self, responder: Responder, counts: DnsCounts, connections: set[_Connection], idle_s: float) -> None:
        self._responder = responder
        self._counts = counts
        self._connections = connections
        self._idle_s = idle_s
        self._buffer = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._counts.refused_streams += 1
            self._transport.abort()
            return
        self._connections.add(self)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            length = int.from_bytes(self._buffer[:2], "big")
            if length > _MAX_QUERY:
                self.abort()
                return
            if len(self._buffer) < 2 + length:
                break
            message = bytes(self._buffer[2 : 2 + length])
            del self._buffer[: 2 + length]
            answer = self._responder.over_stream(message)
            if answer is None:
                self.abort()
                return
            # Only a whole question counts as a sign of life: a byte now and then must not hold a place.
            self._rest()
            self._counts.answers += 1
            self._transport.write(len(answer).to_bytes(2, "big") + answer)

    def pause_writing(self) -> None:
        """Whoever does not read its answers is not asked for more questions."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._idle_s, self.abort)


def _own_address(sock: socket.socket) -> str | None:
    host = str(sock.getsockname()[0])
    return None if ipaddress.ip_address(host).is_unspecified else host

"""A strict recording upstream on a raw socket: keeps every byte it got, reads requests by h11, answers given bytes.

What h11 refuses is kept as a violation: a gateway that passes on what a strict reader cannot read has failed.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Received:
    """A whole request. lines: its header lines as they came. connection: which one it came on, from 0."""

    connection: int
    method: bytes
    target: bytes
    lines: tuple[bytes, ...]
    body: bytes
    trailers: tuple[bytes, ...]

    def values(self, name: bytes) -> list[bytes]:
        """name: lower-case."""
        pairs = (line.partition(b":") for line in self.lines)
        return [value.strip() for key, _, value in pairs if key.lower() == name]


@dataclass(slots=True)
class RecordingUpstream:
    """pieces_of: the answer to a request, as the pieces to write. closes: close after each answer."""

    pieces_of: Callable[[Received], list[bytes]] = lambda received: [OK]
    closes: bool = False
    port: int = 0
    raw: list[bytearray] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["RecordingUpstream"]:
        loop = asyncio.get_running_loop()
        connections: list[_Connection] = []

        def accept() -> _Connection:
            connections.append(_Connection(self, len(connections)))
            return connections[-1]

        server = await loop.create_server(accept, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in connections:
                if hasattr(connection, "transport"):  # else its handshake has failed
                    connection.transport.abort()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, upstream: RecordingUpstream, number: int) -> None:
        self._upstream = upstream
        self._number = number
        self._raw = bytearray()
        self._head_start = 0
        self._reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        self._request: h11.Request | None = None
        self._body = b""
        upstream.raw.append(self._raw)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is one, but no subclass

    def data_received(self, data: bytes) -> None:
        self._raw += data
        self._reader.receive_data(data)
        while self._take_event():
            pass

    def _take_event(self) -> bool:
        try:
            event = self._reader.next_event()
        except h11.RemoteProtocolError as error:
            self._upstream.violations.append(f"{error}: {bytes(self._raw[self._head_start :])!r}")
            self.transport.abort()
            return False
        if isinstance(event, h11.Request):
            self._request, self._body = event, b""
        elif isinstance(event, h11.Data):
            self._body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._answer(event)
        return not (isinstance(event, type) and issubclass(event, h11.NEED_DATA | h11.PAUSED))

    def _answer(self, end: h11.EndOfMessage) -> None:
        request = self._request
        assert request is not None
        head = bytes(self._raw[self._head_start :]).partition(b"\r\n\r\n")[0]
        received = Received(
            self._number,
            request.method,
            request.target,
            tuple(head.split(b"\r\n")[1:]),
            self._body,
            tuple(name + b": " + value for name, value in end.headers),
        )
        self._upstream.requests.append(received)
        left, _ = self._reader.trailing_data
        self._head_start = len(self._raw) - len(left)
        self._reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        for piece in self._upstream.pieces_of(received):
            self.transport.write(piece)
        if self._upstream.closes:
            self.transport.close()
        elif left:
            self._reader.receive_data(left)

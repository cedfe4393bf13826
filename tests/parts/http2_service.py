"""A service that speaks HTTP/2 by another library than the gateway's (hyper-h2), as a test scripts it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

OURS = h2.config.H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_inbound_headers=True,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
Fields = list[tuple[bytes, bytes]]


class Http2Service:
    """on_request: called with the service, a connection, a stream and its fields. requests: what was asked, in order.

    connections: all that were opened. most_streams: at once, on each of them; more break the protocol. is_late: says so
    with what it answers, not before.
    """

    def __init__(self, on_request: "Callable[[ServedConnection, int, Fields], None]", most_streams: int = 100) -> None:
        self.on_request = on_request
        self.most_streams = most_streams
        self.is_late = False
        self.port = 0
        self.requests: list[Fields] = []
        self.connections: list[ServedConnection] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Http2Service"]:
        server = await asyncio.get_running_loop().create_server(lambda: ServedConnection(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for each in self.connections:
                each.transport.abort()


class ServedConnection(asyncio.Protocol):
    """h2: of the other library. resets: streams that the gateway gave up. is_lost: it is closed. filling: bytes sent so
    far on streams that take as much as their windows let."""

    transport: asyncio.Transport

    def __init__(self, service: Http2Service) -> None:
        self.h2 = h2.connection.H2Connection(OURS)
        self.resets: list[int] = []
        self.is_lost = False
        self.filling: dict[int, int] = {}
        self._service = service

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is one, but no subclass
        self._service.connections.append(self)
        self.h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self._service.most_streams},
        )
        self.h2.initiate_connection()
        if not self._service.is_late:
            self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.transport.abort()
            return
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                fields = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
                self._service.requests.append(fields)
                self._service.on_request(self, event.stream_id or 0, fields)
            elif isinstance(event, h2.events.StreamReset):
                self.resets.append(event.stream_id or 0)
                self.filling.pop(event.stream_id or 0, None)
        for stream in tuple(self.filling):
            self.fill(stream)
        self.flush()

    def flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.h2.data_to_send())

    def fill(self, stream: int) -> None:
        """Now, and whenever there is room again."""
        while room := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size):
            self.h2.send_data(stream, b"x" * room)
            self.filling[stream] = self.filling.get(stream, 0) + room

    def break_off(self, stream: int) -> None:
        self.filling.pop(stream, None)
        self.h2.reset_stream(stream, 2)
        self.flush()

    def answer(self, stream: int, *fields: tuple[bytes, bytes], status: int = 200, ended: bool = True) -> None:
        self.h2.send_headers(stream, [(b":status", b"%d" % status), *fields], end_stream=ended)

"""A caller that speaks HTTP/2 by another library than the gateway's (hyper-h2): the oracle of both halves."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

LOOSE = h2.config.H2Configuration(
    client_side=True,
    header_encoding=None,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
    validate_inbound_headers=True,
)
GOAWAY = 0x07
Fields = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """reset: the error its stream ended by."""

    fields: dict[bytes, bytes] = field(default_factory=dict)
    interim: list[dict[bytes, bytes]] = field(default_factory=list)
    trailers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    reset: int | None = None
    is_whole: bool = False

    @property
    def status(self) -> int:
        return int(self.fields.get(b":status", b"0"))


class Http2Caller:
    """goaway: the error of the other side's goodbye; last_taken: the last stream it speaks of. takes: whether what came
    of bodies opens the windows again."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connection = h2.connection.H2Connection(LOOSE)
        self.answers: dict[int, Answer] = {}
        self.goaway: int | None = None
        self.last_taken = 0
        self.is_closed = False
        self.takes = True
        self._changed = asyncio.Condition()
        self.connection.initiate_connection()
        self.flush()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    def has_goodbye(self) -> bool:
        return self.goaway is not None

    def flush(self) -> None:
        self.writer.write(self.connection.data_to_send())

    def begin(self, fields: Fields, *, ended: bool = True) -> int:
        stream = self.connection.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.connection.send_headers(stream, fields, end_stream=ended)
        self.flush()
        return int(stream)

    def get(self, path: bytes, more: Iterable[tuple[bytes, bytes]] = (), authority: bytes = b"shop.example") -> int:
        return self.begin(head(b"GET", path, authority) + list(more))

    async def send(self, stream: int, data: bytes, *, ended: bool = False) -> None:
        """As the windows allow."""
        at = 0
        while at < len(data):
            room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            if room <= 0:
                async with self._changed:
                    await asyncio.wait_for(self._changed.wait(), 20)
                continue
            piece = data[at : at + room]
            at += len(piece)
            self.connection.send_data(stream, piece, end_stream=ended and at == len(data))
            self.flush()
            await self.writer.drain()
        if not data and ended:
            self.connection.end_stream(stream)
            self.flush()

    async def answer(self, stream: int) -> Answer:
        """Whole, or reset."""
        found = self.answers[stream]
        async with self._changed:
            await asyncio.wait_for(
                self._changed.wait_for(lambda: found.is_whole or found.reset is not None or self.is_closed), 20
            )
        return found

    async def until(self, condition: Callable[[], object]) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: condition() or self.is_closed), 20)
        assert condition()

    async def closed(self) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.is_closed), 20)

    def close(self) -> None:
        self._reading.cancel()
        self.writer.close()

    async def _read(self) -> None:
        try:
            while frame := await self._frame():
                for event in self.connection.receive_data(frame):
                    self._take(event)
                self.flush()
                async with self._changed:
                    self._changed.notify_all()
        except (OSError, asyncio.IncompleteReadError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.is_closed = True
            async with self._changed:
                self._changed.notify_all()

    async def _frame(self) -> bytes:
        """Whole. A goodbye is kept from hyper-h2, which would read and write nothing any more."""
        while True:
            begin = await self.reader.readexactly(9)
            rest = await self.reader.readexactly(int.from_bytes(begin[:3], "big"))
            if begin[3] != GOAWAY:
                return begin + rest
            self.last_taken = int.from_bytes(rest[:4], "big") & 0x7FFFFFFF
            self.goaway = int.from_bytes(rest[4:8], "big")

    def _take(self, event: h2.events.Event) -> None:
        answer = self.answers.get(getattr(event, "stream_id", None) or 0)
        if answer is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(dict(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            answer.fields = dict(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.takes and event.flow_controlled_length:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.is_whole = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)


def head(method: bytes, path: bytes, authority: bytes = b"shop.example", scheme: bytes = b"http") -> Fields:
    return [(b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", path)]


@asynccontextmanager
async def calling(port: int, tls: ssl.SSLContext | None = None, name: str | None = None) -> AsyncIterator[Http2Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    caller = Http2Caller(reader, writer)
    try:
        yield caller
    finally:
        caller.close()

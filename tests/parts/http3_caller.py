"""A caller that speaks HTTP/3 by aioquic's own client: its frames and its QPACK are not the gateway's."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aioquic._buffer import Buffer
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from tests.parts.http2_caller import Answer, Fields, head

PATIENCE_S = 20.0
GATEWAYS_CONTROL = 3  # its first stream of one direction


class Http3Caller(QuicConnectionProtocol):
    """closed: the error that the connection ended with, None: it has not. is_reset: by somebody who does not know it,
    which aioquic does not look at (RFC 9000 §10.3.1). goaway:
    the first request that is not taken. speaks: HTTP/3, once the handshake is done (is_shaken)."""

    def __init__(self, quic: QuicConnection) -> None:
        super().__init__(quic)
        self.quic = quic
        self.h3: H3Connection | None = None
        self.answers: dict[int, Answer] = {}
        self.closed: int | None = None
        self.why = ""
        self.is_reset = False
        self.goaway: int | None = None
        self.speaks, self.is_shaken = True, False
        self._control = b""
        self._changed = asyncio.Condition()

    def begin(self, fields: Fields, *, ended: bool = True) -> int:
        assert self.h3 is not None
        stream = self.quic.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.h3.send_headers(stream, fields, end_stream=ended)
        self.transmit()
        return stream

    def get(self, path: bytes, more: Iterable[tuple[bytes, bytes]] = (), authority: bytes = b"shop.example") -> int:
        return self.begin(head(b"GET", path, authority, b"https") + list(more))

    def send(self, stream: int, data: bytes, *, ended: bool = False) -> None:
        """aioquic keeps what the windows do not allow yet."""
        assert self.h3 is not None
        self.h3.send_data(stream, data, end_stream=ended)
        self.transmit()

    def raw(self, data: bytes, *, ended: bool = False, stream: int | None = None) -> int:
        """Bytes of a request's stream, whatever they say."""
        if stream is None:
            stream = self.quic.get_next_available_stream_id()
            self.answers[stream] = Answer()
        self.quic.send_stream_data(stream, data, ended)
        self.transmit()
        return stream

    def one_way(self, data: bytes, *, ended: bool = False) -> int:
        stream = self.quic.get_next_available_stream_id(is_unidirectional=True)
        self.quic.send_stream_data(stream, data, ended)
        self.transmit()
        return stream

    def raw_control(self, data: bytes, *, ended: bool = False) -> None:
        assert self.h3 is not None
        assert self.h3._local_control_stream_id is not None
        self.raw(data, ended=ended, stream=self.h3._local_control_stream_id)

    def raw_encoder(self, data: bytes) -> None:
        assert self.h3 is not None
        assert self.h3._local_encoder_stream_id is not None
        self.raw(data, stream=self.h3._local_encoder_stream_id)

    def reset(self, stream: int, error: int = 0x10C) -> None:
        self.quic.reset_stream(stream, error)
        self.quic.stop_stream(stream, error)
        self.transmit()

    async def answer(self, stream: int) -> Answer:
        """Whole, or reset."""
        found = self.answers[stream]
        await self.until(lambda: found.is_whole or found.reset is not None or self.closed is not None)
        return found

    async def until(self, holds: Any) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(holds), PATIENCE_S)

    async def ended(self) -> int:
        await self.until(lambda: self.closed is not None)
        assert self.closed is not None
        return self.closed

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        token = self.quic._peer_cid.stateless_reset_token
        self.is_reset = self.is_reset or (bool(token) and data[-16:] == token)
        super().datagram_received(data, addr)

    def quic_event_received(self, event: events.QuicEvent) -> None:
        if isinstance(event, events.ConnectionTerminated):
            self.closed, self.why = event.error_code, event.reason_phrase
        elif isinstance(event, events.StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id].reset = event.error_code
        if isinstance(event, events.StreamDataReceived) and event.stream_id == GATEWAYS_CONTROL:
            self._hear(event.data)
        if isinstance(event, events.HandshakeCompleted):
            self.is_shaken = True
        if self.speaks and self.h3 is None and self.is_shaken:
            self.h3 = H3Connection(self.quic)
        if self.h3 is not None:
            for message in self.h3.handle_event(event):
                self._take(message)
        self._loop.create_task(self._tell())

    def _hear(self, data: bytes) -> None:
        """GOAWAY, which aioquic passes over (RFC 9114 §5.2)."""
        buffer = Buffer(data=data)
        if not self._control:
            buffer.pull_uint_var()  # what the stream is for
        self._control += data
        while not buffer.eof():
            kind, size = buffer.pull_uint_var(), buffer.pull_uint_var()
            payload = buffer.pull_bytes(size)
            if kind == 0x07:
                self.goaway = Buffer(data=payload).pull_uint_var()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _take(self, message: Any) -> None:
        answer = self.answers[message.stream_id]
        if isinstance(message, HeadersReceived):
            fields = dict(message.headers)
            if fields.get(b":status", b"").startswith(b"1"):
                answer.interim.append(fields)
            elif answer.fields:
                answer.trailers = fields
            else:
                answer.fields = fields
        elif isinstance(message, DataReceived):
            answer.body += message.data
        if message.stream_ended:
            answer.is_whole = True


def caller_configuration(name: str | None, **more: Any) -> QuicConfiguration:
    how: dict[str, Any] = {"server_name": name, "verify_mode": ssl.CERT_NONE} | more
    return QuicConfiguration(alpn_protocols=["h3"], is_client=True, **how)


class _Stingy(QuicConnection):
    """Opens no window again."""

    def _write_connection_limits(self, builder: Any, space: Any) -> None:
        return

    def _write_stream_limits(self, builder: Any, space: Any, stream: Any) -> None:
        return


@asynccontextmanager
async def knocking(
    port: int, name: str | None = "shop.example", *, takes: bool = True, **more: Any
) -> AsyncIterator[Http3Caller]:
    """Begins a handshake, and waits for nothing. takes: more than his first windows."""
    loop = asyncio.get_running_loop()
    quic = (QuicConnection if takes else _Stingy)(configuration=caller_configuration(name, **more))
    transport, caller = await loop.create_datagram_endpoint(lambda: Http3Caller(quic), local_addr=("127.0.0.1", 0))
    caller.connect(("127.0.0.1", port))
    try:
        yield caller
    finally:
        caller.close()
        transport.close()


@asynccontextmanager
async def calling(port: int, name: str | None = "shop.example", **more: Any) -> AsyncIterator[Http3Caller]:
    async with knocking(port, name, **more) as caller:
        await caller.until(lambda: caller.h3 is not None or caller.closed is not None)
        yield caller

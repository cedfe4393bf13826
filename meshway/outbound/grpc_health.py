"""The standard health question of gRPC (grpc.health.v1.Health/Check) over HTTP/2 without TLS; one call."""

import asyncio
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from meshway.grpc_message import framed, timeout_field, unframed
from meshway.outbound.connection import PlainError
from meshway.protobuf import as_number, octets, read

_READ: Final = 65536
_MAX_ANSWER: Final = 4096  # an answer is two bytes; what else a server may add stays small
_SERVING: Final = 1
_STREAM: Final = 1


class _Answer:
    """What came of the call so far. failure None: not known yet."""

    __slots__ = ("_body", "_grpc_status", "_status", "failure")

    def __init__(self) -> None:
        self._body = b""
        self._status = self._grpc_status = ""
        self.failure: str | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived | TrailersReceived):
            fields = {bytes(name): bytes(value).decode("latin-1") for name, value in event.headers or ()}
            self._status = fields.get(b":status", self._status)
            self._grpc_status = fields.get(b"grpc-status", self._grpc_status)
        elif isinstance(event, DataReceived):
            self._body += event.data or b""
            if len(self._body) > _MAX_ANSWER:
                self.failure = "protocol"
        elif isinstance(event, StreamEnded):
            self.failure = self._judge()
        elif isinstance(event, StreamReset) or (isinstance(event, ConnectionTerminated) and event.error_code):
            self.failure = "reset"

    def _judge(self) -> str:
        if (self._status, self._grpc_status) != ("200", "0"):
            return "status"
        try:
            return "" if _serving_status(self._body) == _SERVING else "status"
        except ValueError:
            return "protocol"


async def ask_serving(
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter], host: str, service: str, timeout_s: float
) -> str:
    """Why the server does not serve, or "": `status timeout reset protocol`. Closes the stream.

    service: its full name, "": the server as a whole.
    """
    reader, writer = stream
    try:
        async with asyncio.timeout(timeout_s):
            return await _call(reader, writer, host, service, timeout_s)
    except TimeoutError as error:
        raise PlainError(f"nothing came within {timeout_s:g} s", "timeout") from error
    except OSError as error:
        raise PlainError(str(error) or type(error).__name__, "reset") from error
    finally:
        writer.transport.abort()


async def _call(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, service: str, timeout_s: float
) -> str:
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    connection.initiate_connection()
    connection.send_headers(_STREAM, _head(host, timeout_s))
    connection.send_data(_STREAM, _question(service), end_stream=True)
    answer = _Answer()
    while True:
        writer.write(connection.data_to_send())
        data = await reader.read(_READ)
        if not data:
            return "reset"
        try:
            events = connection.receive_data(data)
        except ProtocolError:
            return "protocol"
        for event in events:
            answer.take(event)
            if answer.failure is not None:
                return answer.failure


def _head(host: str, timeout_s: float) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", host),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "meshway-health"),
        ("grpc-timeout", timeout_field(timeout_s).decode()),
    ]


def _question(service: str) -> bytes:
    """HealthCheckRequest {string service = 1}."""
    return framed(octets(1, service.encode()))


def _serving_status(body: bytes) -> int:
    """Field 1 of HealthCheckResponse, 0 where it is absent. Raises ValueError for what is none."""
    status = 0
    for field, value in read(unframed(body)):
        if field == 1:
            status = as_number(value)
    return status

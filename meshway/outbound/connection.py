"""A plain HTTP/1.1 connection for a plane's own calls: feed, reports, health checks."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Self

from meshway.http1.framing import ChunkedReader, LengthReader
from meshway.http1.head import HeadError, HeadLimits, ResponseReader
from meshway.http1.message import CHUNKED, NO_BODY, UNTIL_CLOSE, ResponseHead

_READ: Final = 65536

Dial = Callable[[str, int, float], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Host, port, seconds to a stream. Raises PlainError."""


NOT_ASKED: Final = "not_asked"
_OWN_FAULTS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.ENETUNREACH}
)


class PlainError(Exception):
    """The connection is of no use from here on.

    reason: `connect_refused timeout reset protocol forbidden_address`, `not_asked` when the fault is this machine's.
    """

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


def connect_reason(error: OSError) -> str:
    """Without a route, a descriptor or a name server, nothing was asked: that says nothing of the other side."""
    is_ours = error.errno in _OWN_FAULTS or (isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN)
    return NOT_ASKED if is_ours else "connect_refused"


async def dial(
    host: str, port: int, timeout_s: float, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """tls: what verifies the other side, None: it is spoken to without. Raises PlainError."""
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.open_connection(host, port, ssl=tls)
    except TimeoutError as error:
        raise PlainError(f"{host}:{port} does not take the connection within {timeout_s:g} s", "timeout") from error
    except OSError as error:
        raise PlainError(f"{host}:{port}: {error.strerror or error}", connect_reason(error)) from error


class PlainConnection:
    """One request at a time. Every wait has its timeout; `is_reusable` says whether another request may follow."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._heads = ResponseReader(HeadLimits())
        self._buffer = bytearray()
        self._body: ChunkedReader | LengthReader | None = None
        self._until_close = False
        self._keep_alive = False
        self.is_reusable = False

    @classmethod
    async def open(cls, host: str, port: int, timeout_s: float, tls: ssl.SSLContext | None = None) -> Self:
        return cls(*await dial(host, port, timeout_s, tls))

    @property
    def local_host(self) -> str:
        """This machine's address, as the other side sees it when nothing in between translates it."""
        name = self._writer.get_extra_info("sockname")
        return "" if name is None else str(name[0])

    async def ask(
        self, method: bytes, target: bytes, fields: bytes, body: bytes | None = None, *, timeout_s: float
    ) -> ResponseHead:
        """Sends the request whole and reads the answer's head. fields: with Host, each `Name: value CRLF`."""
        if body is not None:
            fields += b"Content-Length: %d\r\n" % len(body)
        self.is_reusable = False
        self._writer.write(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, fields, body or b""))
        try:
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
                head = await self._head(method)
        except (TimeoutError, OSError, HeadError) as error:
            raise _plain(error, timeout_s) from error
        self._begin_body(head)
        return head

    async def piece(self, timeout_s: float) -> bytes:
        """The next piece of the body, b"" at its end."""
        while self._body is not None or self._until_close:
            data = bytes(self._buffer)
            self._buffer.clear()
            if not data:
                data = await self._more(timeout_s)
            if self._until_close:
                self._until_close = bool(data)
                return data
            assert self._body is not None
            if not data:
                raise PlainError("the answer was cut off", "reset")
            if payload := self._feed(self._body, data):
                return payload
        return b""

    async def text(self, limit: int, timeout_s: float) -> bytes:
        """The whole body; what is above `limit` bytes makes the connection one that is not used again."""
        parts, size = [], 0
        while part := await self.piece(timeout_s):
            parts.append(part)
            size += len(part)
            if size > limit:
                self.is_reusable = False
                break
        return b"".join(parts)[:limit]

    def abort(self) -> None:
        self.is_reusable = False
        self._writer.transport.abort()

    async def _head(self, method: bytes) -> ResponseHead:
        while True:
            if self._buffer and (head := self._heads.read(self._buffer, 0, method)) is not None:
                del self._buffer[: head.head_size]
                if head.status >= 200:
                    return head
                continue
            data = await self._reader.read(_READ)
            if not data:
                raise ConnectionResetError("closed before an answer")
            self._buffer += data

    def _begin_body(self, head: ResponseHead) -> None:
        self._keep_alive = head.keep_alive
        self._until_close = head.body == UNTIL_CLOSE
        self._body = None
        if head.body == CHUNKED:
            self._body = ChunkedReader()
        elif head.body > NO_BODY:
            self._body = LengthReader(head.body)
        self.is_reusable = head.body == NO_BODY and head.keep_alive and not self._buffer

    def _feed(self, body: ChunkedReader | LengthReader, data: bytes) -> bytes:
        try:
            payload = body.feed(data)
        except HeadError as error:
            raise PlainError(error.detail, "protocol") from error
        if body.ended:
            self._body = None
            # Bytes nobody asked for poison the connection.
            self.is_reusable = self._keep_alive and not body.rest
        return payload

    async def _more(self, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._reader.read(_READ)
        except (TimeoutError, OSError) as error:
            raise _plain(error, timeout_s) from error


def _plain(error: Exception, timeout_s: float) -> PlainError:
    if isinstance(error, TimeoutError):
        return PlainError(f"nothing came within {timeout_s:g} s", "timeout")
    if isinstance(error, HeadError):
        return PlainError(error.detail, "protocol")
    return PlainError(str(error) or type(error).__name__, "reset")

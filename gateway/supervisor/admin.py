"""The admin port of a gateway: metrics, health and the running state; it answers under load, being in the supervisor.

What changes something (reload, drain) is asked over the Unix socket in the data folder only, where the file system
says who may; a web page that reaches the port by a trick can read at most.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from meshway import problem
from meshway.http1.head import HeadError, HeadLimits, RequestReader
from meshway.http1.message import NO_BODY, RequestHead
from meshway.problem import Problem
from meshway.socket_path import short_path

IDLE_S: Final = 60.0
WRITE_S: Final = 10.0
MAX_CONNECTIONS: Final = 256
_REASONS: Final = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}

Body = tuple[int, str, bytes]  # status, content type, content
Page = Callable[[RequestHead], Awaitable[Body]]


class Admin:
    """pages: answered to GET and HEAD on both sockets; controls: to POST on the Unix socket. Both by path."""

    def __init__(self, pages: Mapping[bytes, Page], controls: Mapping[bytes, Page]) -> None:
        self._pages = pages
        self._controls = controls
        self._servers: list[asyncio.Server] = []
        self._count = 0

    async def listen(self, port: socket.socket, control: Path) -> None:
        """control: path of the Unix socket; one that was left behind is replaced."""
        control.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the start

        async def by_port(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, is_control=False)

        async def by_file(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, is_control=True)

        self._servers.append(await asyncio.start_server(by_port, sock=port))
        with short_path(control) as name:
            self._servers.append(await asyncio.start_unix_server(by_file, name))
        control.chmod(0o600)  # noqa: ASYNC240 - once, at the start

    def close(self) -> None:
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_control: bool) -> None:
        self._count += 1
        try:
            if self._count <= MAX_CONNECTIONS:
                await self._converse(reader, writer, is_control=is_control)
        except (OSError, TimeoutError):
            pass  # the caller's affair
        finally:
            self._count -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_control: bool) -> None:
        """Requests one after the other, until either side ends it."""
        heads, buffer = RequestReader(HeadLimits()), bytearray()
        keep_alive = True
        while keep_alive:
            try:
                head = await _read_head(heads, reader, buffer)
            except HeadError as error:
                refusal = Problem(error.status, error.code, "Bad request", detail=error.detail)
                await _send(writer, _refusal(refusal), is_head=False, keep_alive=False)
                return
            if head is None:
                return
            keep_alive = head.keep_alive and head.body == NO_BODY  # a body is not read, so nothing may follow it
            body = await self._answer(head, is_control=is_control)
            await _send(writer, body, is_head=head.method == b"HEAD", keep_alive=keep_alive)

    async def _answer(self, head: RequestHead, *, is_control: bool) -> Body:
        path = head.target.partition(b"?")[0]
        page, control = self._pages.get(path), self._controls.get(path) if is_control else None
        if page is not None and head.method in (b"GET", b"HEAD"):
            return await page(head)
        if control is not None and head.method == b"POST":
            return await control(head)
        if page is not None or control is not None:
            return _refusal(Problem(405, "method_not_allowed", "Method not allowed"))
        return _refusal(problem.not_found(path.decode("latin-1"), mend="see /health/ready, /metrics and /config"))


async def _read_head(heads: RequestReader, reader: asyncio.StreamReader, buffer: bytearray) -> RequestHead | None:
    async with asyncio.timeout(IDLE_S):
        while True:
            if buffer and (head := heads.read(buffer)) is not None:
                del buffer[: head.head_size]
                return head
            data = await reader.read(65536)
            if not data:
                return None
            buffer += data


async def _send(writer: asyncio.StreamWriter, body: Body, *, is_head: bool, keep_alive: bool) -> None:
    status, content_type, content = body
    reason = _REASONS.get(status, "Error")
    connection = "" if keep_alive else "Connection: close\r\n"
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{connection}\r\n"
    )
    writer.write(head.encode("latin-1") + (b"" if is_head else content))
    async with asyncio.timeout(WRITE_S):
        await writer.drain()
    if not keep_alive:
        with contextlib.suppress(OSError):
            writer.write_eof()


def _refusal(refusal: Problem) -> Body:
    return refusal.status, problem.CONTENT_TYPE, refusal.encode()

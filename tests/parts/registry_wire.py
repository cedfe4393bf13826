"""The registry's wire: a transport that only remembers, and a client that sends bytes and reads answers."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RecordingTransport(asyncio.Transport):
    """What a connection wrote, and what it did to its transport. Writing is never refused; `waiting` is what a slow
    caller has not taken."""

    def __init__(self, peer: str = "127.0.0.1") -> None:
        super().__init__({"peername": (peer, 40000)})
        self.written = bytearray()
        self.waiting = 0
        self.reads = True
        self.is_closed = self.is_aborted = self.is_ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed, "written after close"
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_ended = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def answers(self) -> list[Answer]:
        return read_answers(bytes(self.written))


def read_answers(data: bytes) -> list[Answer]:
    """All whole answers in data; 100 Continue is passed over."""
    answers = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        status, headers = _head(head)
        if status == 100:
            continue
        if headers.get("transfer-encoding") == "chunked":
            body = bytearray()
            while True:
                size, _, data = data.partition(b"\r\n")
                length = int(size, 16)
                body += data[:length]
                data = data[length + 2 :]
                if not length:
                    break
            answers.append(Answer(status, headers, bytes(body)))
        else:
            length = 0 if status in (204, 304) else int(headers.get("content-length", len(data)))
            answers.append(Answer(status, headers, data[:length]))
            data = data[length:]
    return answers


class RawClient:
    """One connection. Use as an async context manager."""

    def __init__(self, port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self._place = (host, port)
        self._tls = tls

    async def __aenter__(self) -> RawClient:
        self.reader, self.writer = await asyncio.open_connection(*self._place, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def send(self, method: str, path: str, body: object = None, *lines: str) -> None:
        """body: bytes as they are, anything else as JSON."""
        self.writer.write(request(method, path, body, *lines))

    async def answer(self, within_s: float = 10.0, *, is_head: bool = False) -> Answer:
        async with asyncio.timeout(within_s):
            while True:
                status, headers = _head((await self.reader.readuntil(b"\r\n\r\n"))[:-4])
                if status == 100:
                    continue
                if is_head or status in (204, 304):
                    return Answer(status, headers, b"")
                if headers.get("transfer-encoding") == "chunked":
                    body = b"".join([piece async for piece in self.pieces()])
                else:
                    body = await self.reader.readexactly(int(headers["content-length"]))
                return Answer(status, headers, body)

    async def head(self, within_s: float = 10.0) -> Answer:
        """The head alone, of an answer that goes on."""
        async with asyncio.timeout(within_s):
            status, headers = _head((await self.reader.readuntil(b"\r\n\r\n"))[:-4])
            return Answer(status, headers, b"")

    async def pieces(self) -> Any:
        while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)

    async def piece(self, within_s: float = 10.0) -> bytes:
        """The next chunk of a streamed answer."""
        async with asyncio.timeout(within_s):
            size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def call(self, method: str, path: str, body: object = None, *lines: str) -> Answer:
        self.send(method, path, body, *lines)
        return await self.answer(is_head=method == "HEAD")


def request(method: str, path: str, body: object = None, *lines: str) -> bytes:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = [f"{method} {path} HTTP/1.1", *lines]
    if not any(line.lower().startswith("host:") for line in lines):
        fields.insert(1, "Host: localhost")
    if content or body is not None:
        fields.append(f"Content-Length: {len(content)}")
    return ("\r\n".join(fields) + "\r\n\r\n").encode() + content


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(first.split(" ")[1]), headers

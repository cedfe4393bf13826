"""A service whose answers a test makes, one by one, and may hold back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Asked:
    """One request: its line, and its fields by lower-case name."""

    method: str
    target: str
    fields: dict[str, str]


def answer(body: str = "", fields: str = "", status: int = 200) -> bytes:
    length = "" if status in (204, 304) else f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status} Said\r\n{length}{fields}\r\n{body}".encode()


@dataclass(slots=True)
class AnsweringService:
    """reply: what is written, whole, to what was asked; a body comes after an answer to HEAD nowhere. asked: all of it,
    in order."""

    reply: Callable[[Asked], Awaitable[bytes]]
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["AnsweringService"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *lines = head.strip().split("\r\n")
                method, target, _ = line.split(" ")
                fields = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
                await reader.readexactly(int(fields.get("content-length", "0")))
                asked = Asked(method, target, fields)
                self.asked.append(asked)
                data = await self.reply(asked)
                writer.write(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else data)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

"""A small HTTP service inside the test's loop, whose health can be changed while it runs."""

import asyncio


class PlainService:
    """Answers every request with `status` and its own name. calls: heads received. is_stuck: accepts, never answers."""

    def __init__(self, name: str = "one") -> None:
        self.name = name
        self.port = 0
        self.status = 200
        self.is_stuck = False
        self.calls: list[str] = []
        self.connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def __aenter__(self) -> "PlainService":
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while True:
                self.calls.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                if self.is_stuck:
                    await asyncio.sleep(3600)
                body = self.name.encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (self.status, len(body), body))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

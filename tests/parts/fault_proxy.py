"""A TCP proxy that stands between two programs and spoils what they say, on demand."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

_READ = 65536


class FaultProxy:
    """Forwards to 127.0.0.1:`target`; the faults hold for open and for new connections, in both directions.

    delay_s: before each piece is passed on. rate: bytes a second, 0 = as they come. is_black_hole: what comes is
    swallowed and connections stay open. cut_after: bytes to the caller before a connection is reset, -1 = never;
    counted anew when it is set. change: what the caller gets of a piece from the target.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.accepted = 0
        self.delay_s = 0.0
        self.rate = 0
        self.is_black_hole = False
        self.cut_after = -1
        self.change: Callable[[bytes], bytes] = lambda data: data
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "FaultProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Resets all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(far_writer)
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, is_answer=False), self._pump(far_reader, writer, is_answer=True)
            )
        finally:
            for each in (writer, far_writer):
                each.transport.abort()
                self._writers.discard(each)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(_READ):
                if self.is_black_hole:
                    continue
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if is_answer:
                    data = self.change(data)
                    if self.cut_after >= 0:
                        data, self.cut_after = data[: self.cut_after], max(self.cut_after - len(data), 0)
                while self.rate and data:
                    writer.write(data[:1])
                    data = data[1:]
                    await asyncio.sleep(1.0 / self.rate)
                writer.write(data)
                await writer.drain()
                if is_answer and self.cut_after == 0:
                    self.cut_after = -1
                    self.cut()
                    return

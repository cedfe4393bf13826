"""A TCP proxy that stands between two programs and spoils what they say, on demand."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any

_READ = 65536
_LOOK_S = 0.02


class FaultProxy:
    """Forwards to 127.0.0.1:`target`; the faults hold for open and for new connections, in both directions.

    delay_s: before each piece is passed on. rate: bytes a second, 0 = as they come. is_black_hole: what comes is
    swallowed and connections stay open. is_half_open: that one side has ended is not told to the other, as when a host
    loses its power. resets: a new connection is taken and reset. cut_after: bytes to the caller before a connection is
    reset, -1 = never; counted anew when it is set. change: what the caller gets of a piece from the target (flip_bits).
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.accepted = 0
        self.delay_s = 0.0
        self.rate = 0
        self.is_black_hole = self.is_half_open = self.resets = False
        self.cut_after = -1
        self.change: Callable[[bytes], bytes] = lambda data: data
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "FaultProxy":
        await self.listen()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.refuse()

    async def listen(self) -> None:
        """Again on the same port, after `refuse`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Nobody listens any more, and all connections are reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Resets all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def mend(self) -> None:
        """Passes everything on from now on; connections that lost something are reset."""
        is_broken = self.is_black_hole or self.is_half_open
        self.delay_s, self.rate, self.cut_after = 0.0, 0, -1
        self.is_black_hole = self.is_half_open = self.resets = False
        self.change = lambda data: data
        if is_broken:
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.resets:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
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
        while self.is_half_open and not writer.is_closing():
            await asyncio.sleep(_LOOK_S)
        writer.transport.abort()


def flip_bits(chance: random.Random, share: float) -> Callable[[bytes], bytes]:
    """A `change` that turns one bit over in that share of all pieces."""

    def flip(data: bytes) -> bytes:
        if chance.random() >= share:
            return data
        at = chance.randrange(len(data))
        return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]

    return flip


class ProxyThread:
    """Proxies for a test without a loop of its own: they run in one in the background."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._proxies: list[FaultProxy] = []
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def proxy(self, target: int) -> FaultProxy:
        """One that listens."""
        proxy = FaultProxy(target)
        self.run(proxy.listen())
        self._proxies.append(proxy)
        return proxy

    def run(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    def call(self, step: Callable[[], None]) -> None:
        """In the proxies' loop, as all that touches connections must."""

        async def do() -> None:
            step()

        self.run(do())

    def close(self) -> None:
        for proxy in self._proxies:
            self.call(proxy.refuse)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the loop of the proxies stands still"
        self._loop.close()

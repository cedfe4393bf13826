"""Keep-alive load as callers make it: N connections, one request at a time each, every failure kept with its time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Call:
    """started_s: wall clock, to be held against the access log.

    error: "" for an answer below 500 whose inner calls, if it tells of any, went well. port: the caller's own.
    """

    started_s: float
    took_s: float
    method: str
    status: int
    error: str
    request_id: str
    body: bytes = b""
    port: int = 0


@dataclass
class Load:
    """Runs until `stop` is set. request: gives (method, bytes to send) for call number n of a connection. on_lost: told
    of each call that has no answer in time, while its connection is still open."""

    port: int
    connections: int
    request: Callable[[int], tuple[str, str, bytes]]
    timeout_s: float = 15.0
    keep_bodies: bool = False
    on_lost: Callable[[Call], None] = lambda _: None
    calls: list[Call] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        await asyncio.gather(*(self._connection(number) for number in range(self.connections)))

    async def for_seconds(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.stopping.set)
        await self.run()

    @property
    def failures(self) -> list[Call]:
        return [call for call in self.calls if call.error]

    async def _connection(self, number: int) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        count = number
        while not self.stopping.is_set():
            method, request_id, data = self.request(count)
            count += self.connections
            call = Call(time.time(), 0.0, method, 0, "", request_id)
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self.timeout_s):
                    if streams is None:
                        streams = await asyncio.open_connection("127.0.0.1", self.port)
                    call.port = streams[1].get_extra_info("sockname")[1]
                    keeps = await self._exchange(*streams, data, call)
                if not keeps:
                    streams[1].close()
                    streams = None
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                call.error = f"{type(error).__name__}: {error}"
                if isinstance(error, TimeoutError):
                    self.on_lost(call)
                if streams:
                    streams[1].close()
                streams = None
                await asyncio.sleep(0.01)
            call.took_s = time.perf_counter() - started
            self.calls.append(call)
        if streams:
            streams[1].close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, call: Call
    ) -> bool:
        """Sends one request and reads its answer whole; returns whether the connection may be used again."""
        writer.write(data)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        call.status = int(head[9:12])
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head.split("\r\n")[1:])}
        body = await self._body(reader, fields)
        if call.status >= 500:
            call.error = f"{call.status} {fields.get('meshway-reason', '')} {body[:200].decode('latin-1')}"
        if fields.get("x-bookinfo-errors", "0") != "0":
            call.error = f"inner calls failed: {fields['x-bookinfo-errors']}"
        if self.keep_bodies:
            call.body = body
        return fields.get("connection", "").lower() != "close"

    @staticmethod
    async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
        if "chunked" in fields.get("transfer-encoding", ""):
            parts = []
            while length := int((await reader.readline()).split(b";")[0], 16):
                parts.append(await reader.readexactly(length))
                await reader.readexactly(2)
            await reader.readuntil(b"\r\n")
            return b"".join(parts)
        return await reader.readexactly(int(fields.get("content-length", "0")))

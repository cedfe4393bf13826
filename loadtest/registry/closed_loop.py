"""Clients that ask again as soon as they are answered, one question a connection, whatever the server speaks.

A client costs the load's core a few microseconds an answer, so that it is the server that is measured.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Dialect(Protocol):
    """One client's side of a wire."""

    def greeting(self) -> bytes:
        """What is said first; empty when there is nothing to agree on."""

    def ask(self) -> bytes:
        """The next question."""

    def read(self, data: bytes) -> tuple[int, bytes]:
        """How many answers end in data, and what the wire wants sent back. The answer to a greeting counts as one.

        Raises RuntimeError for an answer that is no success.
        """


class Client(asyncio.Protocol):
    """A connection that is asked through `ask`, and asks again by itself while `is_running`."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.answered = 0
        self.is_running = False
        self.fault: BaseException | None = None
        self.idle = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's classes are no subclasses of it
        greeting = self.dialect.greeting()
        if greeting:
            self._transport.write(greeting)
        else:
            self.idle.set()

    def ask(self) -> None:
        self.idle.clear()
        self._transport.write(self.dialect.ask())

    def data_received(self, data: bytes) -> None:
        try:
            count, back = self.dialect.read(data)
        except RuntimeError as error:
            self._end(error)
            return
        if back:
            self._transport.write(back)
        if count:
            self.answered += count
            if self.is_running:
                self.ask()
            else:
                self.idle.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.fault is None and not self.idle.is_set():
            self._end(exc or ConnectionError("the server closed"))

    def close(self) -> None:
        self._transport.close()

    def _end(self, fault: BaseException) -> None:
        self.fault = fault
        self.idle.set()
        self._transport.close()


class ClosedLoop:
    """Some clients of one server. Use within one event loop."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._clients = clients

    @classmethod
    async def connect(cls, port: int, dialects: Sequence[Dialect]) -> ClosedLoop:
        loop = asyncio.get_running_loop()
        clients = []
        for dialect in dialects:
            _, client = await loop.create_connection(lambda one=dialect: Client(one), "127.0.0.1", port)  # type: ignore[misc]
            clients.append(client)
        loop_ = cls(clients)
        await loop_._all_idle()
        return loop_

    async def run(self, seconds: float, spent_s: Callable[[], float]) -> tuple[float, float]:
        """Operations a second, and CPU microseconds of the server for each. spent_s: the server's CPU time so far.

        Raises RuntimeError with the first fault.
        """
        before = sum(client.answered for client in self._clients)
        began, cpu = time.perf_counter(), spent_s()
        for client in self._clients:
            client.is_running = True
            client.ask()
        await asyncio.sleep(seconds)
        took, cpu = time.perf_counter() - began, spent_s() - cpu
        count = sum(client.answered for client in self._clients) - before
        for client in self._clients:
            client.is_running = False
        await self._all_idle()
        return count / took, cpu / max(1, count) * 1e6

    async def once(self) -> None:
        """Each asks one question and is answered."""
        for client in self._clients:
            client.ask()
        await self._all_idle()

    def close(self) -> None:
        for client in self._clients:
            client.close()

    async def _all_idle(self) -> None:
        async with asyncio.timeout(60):
            for client in self._clients:
                await client.idle.wait()
                if client.fault is not None:
                    raise RuntimeError(f"a client failed: {client.fault}") from client.fault

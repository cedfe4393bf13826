"""Sources and services of datagrams, on real sockets of the test's own loop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack

WITHIN_S = 20.0


class Source:
    """A caller's socket."""

    def __init__(self, place: tuple[str, int], address: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.place = place

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self.place)

    async def heard(self, within_s: float = WITHIN_S) -> bytes:
        """Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            return await asyncio.get_running_loop().sock_recv(self.socket, 65_535)

    async def ask(self, data: bytes) -> bytes:
        self.send(data)
        return await self.heard()

    def close(self) -> None:
        self.socket.close()


class Sources(ExitStack):
    """Many of them, closed together."""

    def __init__(self, place: tuple[str, int]) -> None:
        super().__init__()
        self._place = place

    def one(self, address: str = "127.0.0.1") -> Source:
        made = Source(self._place, address)
        self.callback(made.close)
        return made


class DatagramService:
    """Answers each datagram by `answer`; heard: all of them, with who sent each."""

    def __init__(self, answer: Callable[[bytes], list[bytes]], port: int = 0) -> None:
        self.heard: list[tuple[bytes, tuple[str, int]]] = []
        self._answer = answer
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._read)

    def _read(self) -> None:
        while True:
            try:
                data, source = self.socket.recvfrom(65_535)
            except OSError:
                return
            self.heard.append((data, source))
            for each in self._answer(data):
                self.socket.sendto(each, source)

    def close(self) -> None:
        if self.socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.socket.fileno())
            self.socket.close()


def named(name: bytes) -> Callable[[bytes], list[bytes]]:
    """Says who it is before what it was told."""
    return lambda data: [name + b" " + data]

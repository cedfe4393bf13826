"""Clients that mean harm, in a process of their own: they hold what they can and give as little as they can for it.

Run as `python -m tests.parts.hostile_clients KIND PORT COUNT HOST`; prints `ready` when all had their first turn, and
`all cut` when the gateway has ended every one of them.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from tests.parts.conditions import wait_until
from tests.parts.processes import Process, python

DRIP_S: Final = 4.0
AT_ONCE: Final = 200
FLOODING: Final = "127.0.0.2"  # an address of its own, on the same loopback


class HostileClients(Process):
    """kind: `slow_head slow_body never_reading flood`. host: of the route they ask for."""

    def __init__(self, folder: Path, kind: str, port: int, count: int, host: str) -> None:
        arguments = ("-m", "tests.parts.hostile_clients", kind, str(port), str(count), host)
        super().__init__(python(*arguments), folder / f"{kind}.out")

    def wait_ready(self, within_s: float = 30.0) -> None:
        wait_until(lambda: "ready" in self.text() or not self.is_running(), within_s, what="hostile clients")
        assert self.is_running(), self.text()


async def connect(port: int, address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def slow_head(port: int, host: str, started: Callable[[], None]) -> None:
    """A head that never ends, a byte at a time."""
    reader, writer = await connect(port)
    await _drip(reader, writer, b"GET / HTTP/1.1\r\nHost: %b\r\nx-drip: " % host.encode(), started)


async def slow_body(port: int, host: str, started: Callable[[], None]) -> None:
    reader, writer = await connect(port)
    head = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 100000\r\n\r\n" % host.encode()
    await _drip(reader, writer, head, started)


async def _drip(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes, started: Callable[[], None]
) -> None:
    writer.write(first)
    started()
    while not reader.at_eof():
        writer.write(b"x")
        try:
            async with asyncio.timeout(DRIP_S):
                await reader.read(65536)
        except TimeoutError:
            pass
    writer.close()


async def never_reading(port: int, host: str, started: Callable[[], None]) -> None:
    """Asks for much and takes nothing of it. The system's buffers are kept small, so that the gateway has the rest."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(sock, b"GET /bytes/64000000 HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode())
    started()
    # The other side's reset or close is seen without reading a byte.
    while not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) and _is_established(sock):
        await asyncio.sleep(0.5)
    sock.close()


def _is_established(sock: socket.socket) -> bool:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1  # TCP_ESTABLISHED


async def flood(port: int, host: str, started: Callable[[], None]) -> None:
    """Opens connections one after the other, and holds each for as long as it is let."""
    began = False
    while True:
        try:
            reader, writer = await connect(port, FLOODING)
            if not began:
                began = True
                started()
            async with asyncio.timeout(2.0):
                await reader.read()
            writer.close()
        except (OSError, TimeoutError):
            if not began:
                began = True
                started()
        await asyncio.sleep(0.1)


KINDS: Final[dict[str, Callable[[int, str, Callable[[], None]], Awaitable[None]]]] = {
    "slow_head": slow_head,
    "slow_body": slow_body,
    "never_reading": never_reading,
    "flood": flood,
}


async def main(kind: str, port: int, count: int, host: str) -> None:
    begun = 0
    gate = asyncio.Semaphore(AT_ONCE)

    def started() -> None:
        nonlocal begun
        begun += 1
        gate.release()
        if begun == count:
            print("ready", flush=True)

    async def one() -> None:
        await gate.acquire()
        try:
            await KINDS[kind](port, host, started)
        except OSError as error:
            print(f"{type(error).__name__}: {error}", flush=True)

    await asyncio.gather(*(one() for _ in range(count)))
    print("all cut", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))

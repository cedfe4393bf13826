"""Clients that mean harm, in a process of their own: they hold what they can and give as little as they can for it.

Run as `python -m tests.parts.hostile_clients KIND PORT COUNT HOST [again]`; prints `ready` when all had their first
turn, and `all cut` when the gateway has ended every one of them. `again`: who was ended comes back, so that the attack
goes on.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import h2.connection
import h2.settings

from tests.parts.conditions import wait_until
from tests.parts.processes import Process, python

DRIP_S: Final = 4.0
AT_ONCE: Final = 200
LARGE: Final = 64_000_000  # bytes, asked for by those who take none
STREAMS: Final = 10  # of one who takes nothing by HTTP/2
PER_ADDRESS: Final = 900  # below what one address may have
HELD_S: Final = 2.0  # by one of a flood
PATIENCE_S: Final = 0.5  # of one of a flood that gets no connection
ARRIVAL_S: Final = 10.0  # of those who come back
PAUSE_S: Final = 0.1  # before the next attempt of the same one
FLOODING: Final = "127.0.1.1"


class HostileClients(Process):
    """kind: `slow_head slow_body never_reading never_reading_http2 flood`. host: of the route they ask for. again: as
    above.

    before: a command that runs them, as `nice`.
    """

    def __init__(
        self,
        folder: Path,
        kind: str,
        port: int,
        count: int,
        host: str,
        *,
        again: bool = False,
        before: Sequence[str] = (),
    ) -> None:
        arguments = ("-m", "tests.parts.hostile_clients", kind, str(port), str(count), host, *(["again"] * again))
        super().__init__([*before, *python(*arguments)], folder / f"{kind}.out")

    def wait_ready(self, within_s: float = 30.0) -> None:
        wait_until(lambda: "ready" in self.text() or not self.is_running(), within_s, what="hostile clients")
        assert self.is_running(), self.text()


class Attack:
    """Where it goes. number: of clients that came so far; few enough of them have one address, but those of a flood."""

    def __init__(self, port: int, host: str) -> None:
        self.port = port
        self.host = host.encode()
        self._number = 0

    def _address(self) -> tuple[str, int]:
        """Of the next client, on the same loopback; never that of honest ones."""
        self._number += 1
        return (f"127.0.0.{2 + self._number // PER_ADDRESS % 250}", 0)

    async def connect(self, address: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        local = (address, 0) if address else self._address()
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=local)

    async def slow_head(self, started: Callable[[], None]) -> None:
        """A head that never ends, a byte at a time."""
        reader, writer = await self.connect()
        await _drip(reader, writer, b"GET / HTTP/1.1\r\nHost: %b\r\nx-drip: " % self.host, started)

    async def slow_body(self, started: Callable[[], None]) -> None:
        reader, writer = await self.connect()
        head = b"POST /upload HTTP/1.1\r\nHost: %b\r\nContent-Length: 100000\r\n\r\n" % self.host
        await _drip(reader, writer, head, started)

    async def never_reading(self, started: Callable[[], None]) -> None:
        """Asks for much and takes nothing of it. The system's buffers are small, so that the gateway has the rest."""
        await self._take_nothing(b"GET /bytes/%d HTTP/1.1\r\nHost: %b\r\n\r\n" % (LARGE, self.host), started)

    async def never_reading_http2(self, started: Callable[[], None]) -> None:
        """As above, in several streams at once, whose windows are as wide as they can be."""
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: LARGE})
        connection.increment_flow_control_window(LARGE)
        for stream in range(1, 2 * STREAMS, 2):
            head = {":method": "GET", ":scheme": "http", ":authority": self.host.decode(), ":path": f"/bytes/{LARGE}"}
            connection.send_headers(stream, list(head.items()), end_stream=True)
        await self._take_nothing(connection.data_to_send(), started)

    async def _take_nothing(self, asked: bytes, started: Callable[[], None]) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        sock.bind(self._address())
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, ("127.0.0.1", self.port))
            await loop.sock_sendall(sock, asked)
            started()
            # The other side's reset or close is seen without reading a byte.
            while not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) and _is_established(sock):
                await asyncio.sleep(0.5)
        finally:
            sock.close()

    async def flood(self, started: Callable[[], None]) -> None:
        """Opens connections one after the other, and holds each for as long as it is let."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    reader, writer = await self.connect(FLOODING)
                started()
                async with asyncio.timeout(HELD_S):
                    await reader.read()
                writer.close()
            except (OSError, TimeoutError):
                started()
            await asyncio.sleep(PAUSE_S)


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


def _is_established(sock: socket.socket) -> bool:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1  # TCP_ESTABLISHED


KINDS: Final[dict[str, Callable[[Attack, Callable[[], None]], Awaitable[None]]]] = {
    "slow_head": Attack.slow_head,
    "slow_body": Attack.slow_body,
    "never_reading": Attack.never_reading,
    "never_reading_http2": Attack.never_reading_http2,
    "flood": Attack.flood,
}


async def main(kind: str, port: int, count: int, host: str, *, again: bool) -> None:
    begun = 0
    gate, attack, run = asyncio.Semaphore(AT_ONCE), Attack(port, host), KINDS[kind]

    async def one(number: int) -> None:
        nonlocal begun
        if again:  # they are not to be ended, and to come back, all at the same time
            await asyncio.sleep(ARRIVAL_S * number / count)
        await gate.acquire()
        is_begun = False

        def started() -> None:
            nonlocal begun, is_begun
            if is_begun:
                return
            is_begun = True
            begun += 1
            gate.release()
            if begun == count:
                print("ready", flush=True)

        while True:
            try:
                await run(attack, started)
            except OSError as error:
                if not again:
                    print(f"{type(error).__name__}: {error}", flush=True)
            started()
            if not again:
                return
            await asyncio.sleep(PAUSE_S)

    await asyncio.gather(*map(one, range(count)))
    print("all cut", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], again="again" in sys.argv[5:]))

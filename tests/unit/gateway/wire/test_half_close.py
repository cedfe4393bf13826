import asyncio
import socket
import struct

from gateway.wire.half_close import close_half
from tests.parts.conditions import until


class Side(asyncio.Protocol):
    transport: asyncio.Transport | None = None
    lost: list[Exception | None]

    def __init__(self) -> None:
        self.lost = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # of TCP

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


async def test_a_connection_that_was_cut_in_this_moment_is_told_as_lost_and_raises_nothing() -> None:
    side = Side()
    server = await asyncio.get_running_loop().create_server(lambda: side, "127.0.0.1", 0)
    caller = socket.create_connection(server.sockets[0].getsockname())
    await until(lambda: side.transport is not None, what="a connection")
    assert side.transport is not None
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()
    close_half(side.transport)
    await until(lambda: side.lost, what="its end")
    assert isinstance(side.lost[0], ConnectionResetError)
    server.close()

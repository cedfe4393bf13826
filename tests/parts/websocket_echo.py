"""A service of WebSocket in a process of its own, by the `websockets` library, which gives each message back.
Run: python -m tests.parts.websocket_echo PORT"""

import asyncio
import contextlib
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):  # it may end by a fault
        async for message in connection:
            await connection.send(message)


async def run(port: int) -> None:
    async with serve(echo, "127.0.0.1", port, max_size=None, ping_interval=None) as server:
        print("ready", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))

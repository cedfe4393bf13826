"""The services behind the soak, in a process of their own: one of each protocol, all of them echoes.

Run: python -m loadtest.soak.services; its first line tells the ports as JSON. It ends with its standard input.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.parts.datagrams import DatagramService
from tests.parts.plain_service import PlainService

EVENTS_EVERY_S = 0.2


async def _talk(talk: ServerConnection) -> None:
    """Until it is closed, or lost: gateways are killed here."""
    with contextlib.suppress(ConnectionClosed):
        async for message in talk:
            await talk.send(message)


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Of what a WebSocket server says: not of those that were killed before they had shaken hands."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, ConnectionClosed | InvalidMessage | OSError | EOFError)


async def _events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Server-sent events, one five times a second, until the caller leaves."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        number = 0
        while True:
            event = b"data: %d\n\n" % number
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            number += 1
            await asyncio.sleep(EVENTS_EVERY_S)
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def _echo_stream() -> grpc.GenericRpcHandler:
    async def echo(messages: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for message in messages:
            yield message

    return grpc.method_handlers_generic_handler("soak.Echo", {"Talk": grpc.stream_stream_rpc_method_handler(echo)})


async def main() -> None:
    plain, streams = PlainService("soak"), grpc.aio.server()
    await plain.start()
    streams.add_generic_rpc_handlers((_echo_stream(),))
    ports = {"plain": plain.port, "streams": streams.add_insecure_port("127.0.0.1:0")}
    await streams.start()
    logging.getLogger("websockets.server").addFilter(_is_unexpected)
    talk = await serve(_talk, "127.0.0.1", 0)
    ports["talk"] = next(iter(talk.sockets)).getsockname()[1]
    for name, served in (("events", _events), ("bytes", _bytes)):
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        ports[name] = server.sockets[0].getsockname()[1]
    ports["datagrams"] = DatagramService(lambda data: [data]).port
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

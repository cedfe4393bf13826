"""A service instance as a process: `python -m tests.parts.echo_service --id a --port 0 --port-file F`.

GET and POST answer its id; `/slow/SECONDS` waits first; `/bytes/N` answers N bytes; a POST body is counted,
by `/sip/` slowly.
"""

import argparse
import asyncio
import socket
from pathlib import Path

SIP_S = 0.05  # pause between two pieces of a body that is read slowly
MOST_UNSENT = 64 * 1024


async def _body_size(reader: asyncio.StreamReader, head: str) -> int:
    """Reads a body of announced length or in chunks and returns its size."""
    lines = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
    if "chunked" in lines.get("transfer-encoding", ""):
        size = 0
        while length := int((await reader.readline()).split(b";")[0], 16):
            size += len(await reader.readexactly(length))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return size
    left = size = int(lines.get("content-length", "0"))
    while left:
        piece = await reader.read(min(left, 65536))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        if " /sip/" in head:
            await asyncio.sleep(SIP_S)
    return size


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, identity: str) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ", 2)[1]
            size = await _body_size(reader, head)
            if path.startswith("/slow/"):
                await asyncio.sleep(float(path.split("/")[2]))
            if path.startswith("/bytes/"):
                await _send_bytes(writer, int(path.split("/")[2]))
                continue
            body = f"{identity} {size}".encode() if size else identity.encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _send_bytes(writer: asyncio.StreamWriter, count: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
    piece = b"x" * 65536
    while count:
        step = min(count, len(piece))
        writer.write(piece[:step])
        count -= step
        await writer.drain()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, required=True)
    options = parser.parse_args()
    server = await asyncio.start_server(lambda r, w: _serve(r, w, options.id), "127.0.0.1", options.port, backlog=1024)
    # What it has not sent lies with the system, whose memory for connections a thousand callers would use up.
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_UNSENT)
    waiting = options.port_file.with_suffix(".tmp")
    waiting.write_text(str(server.sockets[0].getsockname()[1]))
    waiting.rename(options.port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

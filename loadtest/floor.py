"""The floor under any proxy on this loop: bytes passed on both ways, nothing read, nothing decided.

`python -m loadtest.floor PORT UPSTREAM_PORT`. What Meshway costs above it is Meshway; what it costs is the kernel's
and the loop's.
"""

import asyncio
import sys
from typing import cast

import uvloop


class _Upstream(asyncio.Protocol):
    def __init__(self, downstream: "_Downstream") -> None:
        self._downstream = downstream
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's classes are no subclasses of it
        self.transport = transport
        transport.write(self._downstream.waiting)

    def data_received(self, data: bytes) -> None:
        self._downstream.transport.write(data)


class _Downstream(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._upstream = _Upstream(self)
        self.waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's classes are no subclasses of it
        self.transport = transport
        loop = asyncio.get_running_loop()
        self._connecting = loop.create_task(
            loop.create_connection(lambda: self._upstream, "127.0.0.1", self._upstream_port)
        )

    def data_received(self, data: bytes) -> None:
        if self._upstream.transport is None:
            self.waiting += data
        else:
            self._upstream.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._upstream.transport is not None:
            self._upstream.transport.close()


async def main() -> None:
    port, upstream_port = int(sys.argv[1]), int(sys.argv[2])
    server = await asyncio.get_running_loop().create_server(lambda: _Downstream(upstream_port), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())

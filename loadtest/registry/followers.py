"""Simulated gateways in a process of their own: `python -m loadtest.registry.followers PORT COUNT [decode]`.

Says `ready` when all hold the head. With `decode` each reads its frames as a gateway does, and for every instance named
`mark-N` a line says when the last of them had it (monotonic seconds); without, they take bytes and look at nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from meshway.snapshot import Delta, FrameReader, Hello, SnapshotEnd, Tick

if TYPE_CHECKING:
    from collections.abc import Iterator


class Crowd:
    """What the followers have in common. count: how many there will be."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._ready = 0
        self._seen: dict[str, int] = {}
        self.all_ready = asyncio.Event()

    def ready(self) -> None:
        self._ready += 1
        if self._ready == self._count:
            self.all_ready.set()

    def seen(self, name: str) -> None:
        seen = self._seen[name] = self._seen.get(name, 0) + 1
        if seen == self._count:
            print(name, time.monotonic(), flush=True)
            del self._seen[name]


class Follower(asyncio.Protocol):
    def __init__(self, crowd: Crowd, node: str, *, decodes: bool) -> None:
        self._crowd = crowd
        self._node = node
        self._reader = FrameReader() if decodes else None
        self._buffer = b""
        self._is_open = self._is_ready = False
        self._head = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # HTTP/1.0: the frames come without chunks around them.
        request = f"GET /v1/feed?node={self._node} HTTP/1.0\r\nHost: localhost\r\n\r\n"
        cast("asyncio.Transport", transport).write(request.encode())

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._buffer += data
            _, end, data = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._is_open = True
        if self._reader is None:
            if not self._is_ready:
                self._is_ready = True
                self._crowd.ready()
            return
        for frame in self._reader.feed(data):
            match frame:
                case Delta():
                    for change in frame.changes:
                        place = change.name.partition("/")[2]
                        if place.startswith("mark-"):
                            self._crowd.seen(place)
                case Hello():
                    self._head = frame.revision
                case SnapshotEnd() | Tick():
                    if not self._is_ready and frame.revision >= self._head:
                        self._is_ready = True
                        self._crowd.ready()

    def connection_lost(self, exc: Exception | None) -> None:
        print("lost", self._node, exc, file=sys.stderr, flush=True)


async def follow(port: int, count: int, *, decodes: bool) -> None:
    loop = asyncio.get_running_loop()
    crowd = Crowd(count)
    for number in range(count):
        await loop.create_connection(lambda at=number: Follower(crowd, f"f{at}", decodes=decodes), "127.0.0.1", port)  # type: ignore[misc]
    await crowd.all_ready.wait()
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


class Following:
    """The process, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def line(self) -> list[str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        if not line:
            raise RuntimeError("the followers ended")
        return line


@contextmanager
def followers(port: int, count: int, core: int, *, decodes: bool = False) -> Iterator[Following | None]:
    """None for no followers."""
    if not count:
        yield None
        return
    command = [sys.executable, "-m", "loadtest.registry.followers", str(port), str(count), *["decode"][: int(decodes)]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        os.sched_setaffinity(process.pid, {core})
        following = Following(process)
        assert following.line() == ["ready"]
        yield following
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    import uvloop

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(follow(int(sys.argv[1]), int(sys.argv[2]), decodes="decode" in sys.argv[3:]))

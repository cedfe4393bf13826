"""Simulated gateways in a process of their own: `python -m loadtest.registry.followers PORT COUNT [decode]`.

With `decode` each reads its frames as a gateway does, and for every instance named `mark-N` a line says when the last
of them had it (monotonic seconds). One that loses its registry comes back with what it holds, as a gateway does, but
without a gateway's patience. Each time all hold the head a line says `ready`, when, and how many took the whole for it.
Without `decode` they take bytes and look at nothing. Those begin at the head, as watches of etcd and ZooKeeper do: what
the whole of a grown registry costs is no part of what a change costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from meshway.snapshot import AnyFrame, Delta, FrameReader, Hello, Reset, SnapshotEnd, Tick
from meshway.tasks import spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

# Between two tries: short, since it is the registry that is measured.
_AGAIN_S = 0.1


class Crowd:
    """What the followers have in common. count: how many there are. begin: the revision that those hold which take
    bytes only; None: they decode, and hold nothing."""

    def __init__(self, port: int, count: int, begin: int | None) -> None:
        self.port = port
        self.decodes = begin is None
        self.begin = begin
        self._count = count
        self._ready = self._wholes = 0
        self._seen: dict[str, int] = {}

    async def connect(self, follower: Follower) -> None:
        """Until it is."""
        while True:
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().create_connection(lambda: follower, "127.0.0.1", self.port)
                return
            await asyncio.sleep(_AGAIN_S * random.uniform(0.5, 1.5))

    def ready(self, *, took_the_whole: bool) -> None:
        self._ready += 1
        self._wholes += took_the_whole
        if self._ready == self._count:
            print("ready", time.monotonic(), self._wholes, flush=True)

    def lost(self, follower: Follower, *, was_ready: bool) -> None:
        if was_ready:
            if self._ready == self._count:
                self._wholes = 0
            self._ready -= 1
        spawn(self.connect(follower), name="connect again")

    def seen(self, name: str) -> None:
        seen = self._seen[name] = self._seen.get(name, 0) + 1
        if seen == self._count:
            print(name, time.monotonic(), flush=True)
            del self._seen[name]


class Follower(asyncio.Protocol):
    """Of one gateway, over all its connections."""

    def __init__(self, crowd: Crowd, node: str) -> None:
        self._crowd = crowd
        self._node = node
        self._epoch = ""
        self._revision = self._head = crowd.begin or 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader = FrameReader() if self._crowd.decodes else None
        self._buffer = b""
        self._is_open = self._is_ready = self._takes_the_whole = False
        held = f"&since={self._revision}" if self._epoch or not self._crowd.decodes else ""
        held += f"&epoch={self._epoch}" if self._epoch else ""
        # HTTP/1.0: the frames come without chunks around them.
        request = f"GET /v1/feed?node={self._node}{held} HTTP/1.0\r\nHost: localhost\r\n\r\n"
        cast("asyncio.Transport", transport).write(request.encode())

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._buffer += data
            _, end, data = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._is_open = True
        if self._reader is None:
            self._has_head()
            return
        for frame in self._reader.feed(data):
            self._take(frame)

    def _take(self, frame: AnyFrame) -> None:
        match frame:
            case Delta():
                for change in frame.changes:
                    place = change.name.partition("/")[2]
                    if place.startswith("mark-"):
                        self._crowd.seen(place)
                if not frame.more:
                    self._revision = frame.revision
            case Hello():
                self._head = frame.revision
                if frame.epoch != self._epoch:
                    self._epoch, self._revision, self._takes_the_whole = frame.epoch, -1, True
            case Reset():
                self._revision, self._takes_the_whole = -1, True
            case SnapshotEnd():
                self._revision = frame.revision
            case Tick() if frame.revision != self._revision:
                print("a tick of", frame.revision, "at", self._revision, self._node, file=sys.stderr, flush=True)
        if self._revision >= self._head:
            self._has_head()

    def _has_head(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._crowd.ready(took_the_whole=self._takes_the_whole)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.lost(self, was_ready=self._is_ready)


def head_of(port: int) -> int:
    """The registry's revision now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/v1/namespaces/-/services?limit=1")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return int(answer.headers["Meshway-Revision"])


async def follow(port: int, count: int, *, begin: int | None) -> None:
    crowd = Crowd(port, count, begin)
    for number in range(count):
        await crowd.connect(Follower(crowd, f"f{number}"))
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

    def wait_ready(self) -> tuple[float, int]:
        """When all held the head (monotonic seconds), and how many of them took the whole."""
        name, at_s, wholes = self.line()
        assert name == "ready", name
        return float(at_s), int(wholes)


@contextmanager
def followers(
    port: int, count: int, core: int, *, decodes: bool = False, gives_way: bool = False
) -> Iterator[Following | None]:
    """None for no followers. gives_way: who else runs on this core goes before them."""
    if not count:
        yield None
        return
    command = [sys.executable, "-m", "loadtest.registry.followers", str(port), str(count), *["decode"][: int(decodes)]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        os.sched_setaffinity(process.pid, {core})
        if gives_way:
            os.setpriority(os.PRIO_PROCESS, process.pid, 19)
        following = Following(process)
        following.wait_ready()
        yield following
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    import uvloop

    port = int(sys.argv[1])
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(follow(port, int(sys.argv[2]), begin=None if "decode" in sys.argv[3:] else head_of(port)))

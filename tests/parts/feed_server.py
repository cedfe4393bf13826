"""A registry that only speaks the feed: real frames over real sockets, faults on demand.

`Feed` holds the history and can be followed by any number of gateways; reports that come are kept. Of Secrets it tells
what a test sends, and nothing to who connects: a gateway that is in step then forgets those it had, as where a registry
has none.
"""

import asyncio
import json
from typing import Any

from gateway.feed.frames import delta_frames, snapshot_frames
from meshway.snapshot import Change, Hello, Reset, Tick, encode_frame

TICK_S = 0.5


class Feed:
    """keep: revisions that can be asked for; older ones are compacted. reports: what gateways said, newest last;
    numbers: what they counted, likewise.

    gateways: how many are live, as the ticks say.
    """

    def __init__(self, epoch: str = "e1", keep: int = 1000) -> None:
        self.epoch = epoch
        self.keep = keep
        self.revision = 0
        self.entries: dict[tuple[str, str, str], Change] = {}
        self.log: list[tuple[int, list[Change]]] = []
        self.reports: list[dict[str, Any]] = []
        self.numbers: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.port = 0
        self.is_silent = False
        self.gateways = 1
        self._followers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def commit(self, *changes: Change) -> int:
        """One revision, durable and sent."""
        self.revision += 1
        for change in changes:
            if change.op == "put":
                self.entries[change.key] = change
            else:
                self.entries.pop(change.key, None)
        self.log.append((self.revision, list(changes)))
        del self.log[: -self.keep]
        self.send(delta_frames(self.revision, list(changes)))
        return self.revision

    def send(self, data: bytes) -> None:
        """To all followers, whatever it is."""
        for writer in self._followers:
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a killed registry: connections are cut, the port is closed."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        for writer in self._followers:
            writer.transport.abort()
        self._followers.clear()

    async def __aenter__(self) -> "Feed":
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split("\r\n")[0].split(" ")
                self.asked.append(target)
                length = next(
                    (
                        int(v)
                        for n, _, v in (f.partition(":") for f in head.split("\r\n"))
                        if n.lower() == "content-length"
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                if target.startswith("/v1/feed"):
                    await self._follow(writer, target)
                    return
                if method == "POST" and target == "/v1/reports":
                    self.reports.append(json.loads(body))
                if method == "POST" and target == "/v1/telemetry":
                    self.numbers.append(json.loads(body))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._followers.discard(writer)
            writer.close()

    async def _follow(self, writer: asyncio.StreamWriter, target: str) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-meshway-feed\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for data in self.answer(target):
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        self._followers.add(writer)
        while not writer.is_closing():
            if not self.is_silent:
                tick = encode_frame(Tick(revision=self.revision, gateways=self.gateways))
                writer.write(b"%x\r\n%b\r\n" % (len(tick), tick))
            await asyncio.sleep(TICK_S)

    def answer(self, target: str) -> list[bytes]:
        """What a follower that asks so gets first."""
        query = dict(pair.split("=", 1) for pair in target.partition("?")[2].split("&") if "=" in pair)
        since = int(query["since"]) if "since" in query else None
        oldest = self.log[0][0] if self.log else self.revision + 1
        whole = list(snapshot_frames(self.epoch, self.revision, list(self.entries.values())))
        if since is None:
            return whole
        if query.get("epoch") != self.epoch or since > self.revision or since < oldest - 1:
            return [whole[0], encode_frame(Reset(reason="cannot be continued")), *whole[1:]]
        hello = encode_frame(Hello(epoch=self.epoch, revision=self.revision))
        return [hello, *(delta_frames(revision, changes) for revision, changes in self.log if revision > since)]

"""A reader of server-sent events (WHATWG HTML §9.2) over a raw connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tests.parts.registry_wire import RawClient


class Event(NamedTuple):
    """id: the newest there was, as a browser would send it when it comes again."""

    name: str
    data: Any
    id: str


class EventReader:
    def __init__(self, client: RawClient) -> None:
        self._client = client
        self._buffer = b""
        self._events: list[Event] = []
        self.last_id = ""

    async def next(self, *names: str, within_s: float = 20.0) -> Event:
        """The next one of these names; others are passed over."""
        while True:
            while self._events:
                event = self._events.pop(0)
                if not names or event.name in names:
                    return event
            self._read(await self._client.piece(within_s))

    async def begun(self) -> None:
        """What is changed from here on is told."""
        self._read(await self._client.piece())

    def _read(self, piece: bytes) -> None:
        *whole, self._buffer = (self._buffer + piece).split(b"\n\n")
        for block in whole:
            fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if not line.startswith(":"))
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                self._events.append(Event(fields["event"], json.loads(fields["data"]), self.last_id))


@asynccontextmanager
async def events(port: int, path: str, *lines: str) -> AsyncIterator[EventReader]:
    async with RawClient(port) as client:
        client.send("GET", path, None, *lines)
        head = await client.head()
        assert head.status == 200, head
        assert head.headers["content-type"] == "text/event-stream"
        yield EventReader(client)

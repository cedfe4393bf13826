"""The bus over Redis: one channel, published and heard on connections of their own.

A message is dropped when more than MAX_WAITING bytes wait, or when Redis is away. Each replica hears itself once a
second, and so knows when it hears nobody.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Final

from registry.live.redis_link import LiveAway, RedisLink
from registry.live.scripts import command

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAITING: Final = 16 << 20
_CHANNEL: Final = b"{meshway}:bus"
_BEAT_EVERY_S: Final = 1.0
# Without hearing itself.
_SILENT_S: Final = 3.0
_TRY_EVERY_S: Final = 0.5
_BEAT: Final = b""
# Who says it and how long the name of the topic is.
_SHORTEST: Final = 9
_log = logging.getLogger("registry.live")


class RedisBus:
    """clock: monotonic seconds. `run` is its task."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        """Raises StartRefused."""
        self._clock = clock
        self._own = secrets.token_bytes(8)
        self._out = RedisLink(url)
        self._in = RedisLink(url)
        self._queue: list[bytes] = []
        self._waiting = 0
        self._queued = asyncio.Event()
        self._heard: dict[bytes, list[Callable[[bytes], None]]] = {}
        self._heard_at = clock() - _SILENT_S
        self._listening_at = clock()
        self.dropped = 0

    @property
    def silent_since_s(self) -> float | None:
        return None if self._clock() - self._heard_at < _SILENT_S else self._heard_at

    def publish(self, topic: str, message: bytes) -> None:
        if self._waiting + len(message) > MAX_WAITING:
            self.dropped += 1
            return
        self._waiting += len(message)
        name = topic.encode()
        self._queue.append(b"%b%c%b%b" % (self._own, len(name), name, message))
        self._queued.set()

    def subscribe(self, topic: str, heard: Callable[[bytes], None]) -> None:
        self._heard.setdefault(topic.encode(), []).append(heard)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await asyncio.gather(self._publish(), self._listen(), self._beat())
        finally:
            await self._in.close()
            await self._out.close()

    async def _beat(self) -> None:
        while True:
            self.publish("", _BEAT)
            await asyncio.sleep(_BEAT_EVERY_S)
            if self._clock() - max(self._heard_at, self._listening_at) > _SILENT_S:
                # A connection into nowhere looks open: begin another.
                await self._in.close()

    async def _publish(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            messages, self._queue, self._waiting = self._queue, [], 0
            try:
                await self._out.open()
                await self._out.ask([command(b"PUBLISH", _CHANNEL, message) for message in messages])
            except LiveAway:
                self.dropped += len(messages)
                await asyncio.sleep(_TRY_EVERY_S)

    async def _listen(self) -> None:
        while True:
            try:
                await self._in.open()
                await self._in.ask([command(b"SUBSCRIBE", _CHANNEL)])
                self._listening_at = self._clock()
                self.publish("", _BEAT)
                while True:
                    self._hear(await self._in.read())
            except LiveAway as away:
                _log.debug("the bus is cut: %s", away)
                await asyncio.sleep(_TRY_EVERY_S)

    def _hear(self, answer: list[bytes]) -> None:
        message = answer[2]
        if len(message) < _SHORTEST:
            _log.warning("a message of %d bytes on the bus is no registry's", len(message))
            return
        size = message[8]
        topic, body = message[9 : 9 + size], message[9 + size :]
        if message[:8] == self._own:
            self._heard_at = self._clock()
            return
        for heard in self._heard.get(topic, ()):
            try:
                heard(body)
            except Exception:  # one listener's defect must not deafen the others
                _log.exception("a message of %r could not be heard", topic.decode())

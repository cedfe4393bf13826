"""Follows the registry's feed: connects, reads, judges by `feed/state.py`, and never stops trying.

A connection that brings no whole frame for three ticks is dead, whatever trickles. Between tries it waits 0.2 to 15 s,
± 50 %, and takes the next registry. It resumes with the revision and the epoch it holds, so nothing is sent twice.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from gateway.feed.registry_link import RegistryUrl
from gateway.feed.state import Changes, FeedState, Outcome, Trouble, Whole
from meshway.outbound.connection import PlainConnection, PlainError
from meshway.snapshot import FrameError, FrameReader, Question, SecretFrame, SecretsWanted, Tick

TICK_S: Final = 2.0
DEAD_S: Final = 3 * TICK_S
CRAWL: Final = 65536  # bytes of one frame that are progress as well: a large one may take longer than the ticks
MIN_WAIT_S: Final = 0.2
MAX_WAIT_S: Final = 15.0

_log = logging.getLogger("meshway.gateway.feed")


Heard = Whole | Changes | Question | SecretFrame | SecretsWanted | Tick


class Follower:
    """on_outcome gets everything that was heard, in order, on the loop, of the Ticks those with another number of
    gateways.

    registry: the one that is followed now, or None. problem: why not, for people. heard_at: monotonic seconds of the
    last frame. local_host: this host's address on the way to the registry, "" before it was ever reached.
    """

    def __init__(
        self,
        urls: tuple[RegistryUrl, ...],
        node: str,
        state: FeedState,
        on_outcome: Callable[[Heard], None],
        random: Callable[[], float],
    ) -> None:
        self._urls = urls
        self._node = node
        self._state = state
        self._on_outcome = on_outcome
        self._random = random
        self._at = 0
        self._gateways = state.gateways
        self._has_progress = False
        self.registry: RegistryUrl | None = None
        self.problem = "not connected yet"
        self.connections = 0
        self.heard_at: float | None = None
        self.local_host = ""

    async def run(self) -> None:
        wait_s = MIN_WAIT_S
        while True:
            self._has_progress = False
            url = self._urls[self._at % len(self._urls)]
            trouble = await self._follow(url)
            self._tell(url, trouble)
            if self._has_progress:
                wait_s = MIN_WAIT_S
                if trouble.kind == "lost":
                    continue  # what is missing is asked for at once, of the same registry
            self._at += 1
            await asyncio.sleep(wait_s * (0.5 + self._random()))
            wait_s = min(wait_s * 2.0, MAX_WAIT_S)

    def _tell(self, url: RegistryUrl, trouble: Trouble) -> None:
        """One line per change of state, not one per try."""
        was_connected, self.registry = self.registry is not None, None
        if was_connected or trouble.reason != self.problem:
            _log.warning("the feed of %s ended: %s", url.text, trouble.reason)
        self.problem = f"{url.text}: {trouble.reason}" if was_connected else trouble.reason

    async def _follow(self, url: RegistryUrl) -> Trouble:
        """One connection, to its end."""
        try:
            connection = await url.connect()
        except PlainError as error:
            return Trouble("bad", str(error))
        try:
            return await self._read(url, connection)
        except (PlainError, FrameError) as error:
            return Trouble("bad", str(error))
        finally:
            connection.abort()

    async def _read(self, url: RegistryUrl, connection: PlainConnection) -> Trouble:
        state = self._state
        target = f"/v1/feed?node={quote(self._node, safe='')}"
        if state.epoch:
            target += f"&since={state.revision}&epoch={quote(state.epoch, safe='')}"
        head = await connection.ask(b"GET", target.encode("ascii"), url.fields, timeout_s=DEAD_S)
        if head.status != 200:
            text = await connection.text(500, DEAD_S)
            return Trouble("bad", f"answered {head.status} {text.decode('utf-8', 'replace')[:200]}")
        state.connected()
        self.local_host = connection.local_host
        reader, loop = FrameReader(), asyncio.get_running_loop()
        came, due = 0, loop.time() + DEAD_S
        while True:
            try:
                piece = await connection.piece(max(due - loop.time(), 0.0))
            except PlainError as error:
                if error.reason != "timeout":
                    raise
                return Trouble("bad", f"no whole frame came within {DEAD_S:g} s")
            if not piece:
                return Trouble("bad", "the registry closed the feed")
            came += len(piece)
            for frame in reader.feed(piece):
                came = CRAWL
                outcome = state.take(frame)
                if isinstance(outcome, Trouble):
                    return outcome
                if isinstance(frame, Tick):
                    self._take_tick(frame)
                self._has_news(url, outcome)
            if came >= CRAWL:
                came, due = 0, loop.time() + DEAD_S

    def _take_tick(self, tick: Tick) -> None:
        if tick.revision <= self._state.revision:
            self._has_progress = True  # in step, if only with nothing new
        if tick.gateways != self._gateways:
            self._gateways = tick.gateways
            self._on_outcome(tick)

    def _has_news(self, url: RegistryUrl, outcome: Outcome) -> None:
        self.heard_at = time.monotonic()
        if self.registry is None:
            self.registry = url
            self.problem = ""
            self.connections += 1
            _log.info("following %s from r%d", url.text, self._state.revision)
        if isinstance(outcome, Whole | Changes | Question | SecretFrame | SecretsWanted):
            self._has_progress = True
            self._on_outcome(outcome)

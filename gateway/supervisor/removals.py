"""What the mass removal guard keeps of a feed that lost most endpoints at once, told to all workers for its time."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from gateway.channel import Kept, encode
from gateway.feed.frames import parts
from gateway.feed.removal_guard import RemovalGuard
from gateway.feed.state import Changes, Key, Whole
from meshway.snapshot import Change

RETRY_S: Final = 0.1

_log = logging.getLogger("meshway.gateway.supervisor")


class Removals:
    """guard: what is kept. send: encoded frames, to all workers. on_changed: what is kept is other. now: monotonic."""

    def __init__(self, send: Callable[[bytes], None], on_changed: Callable[[], None], now: Callable[[], float]) -> None:
        self.guard = RemovalGuard(now)
        self._send, self._on_changed, self._now = send, on_changed, now
        self._trips = 0

    def take(self, outcome: Whole | Changes, held: Mapping[Key, Change]) -> None:
        """Before the workers learn of the removal itself. held: what was, up to now."""
        self._keep(self.guard.take(outcome, held))

    def frames(self) -> list[Kept]:
        """What a new worker must know."""
        return [Kept(changes=part) for part in parts(self.guard.kept.values())]

    def _keep(self, changes: list[Change]) -> None:
        if not changes:
            return
        for part in parts(changes):
            self._send(encode(Kept(changes=part)))
        if self.guard.trips != self._trips:
            self._trips = self.guard.trips
            count, rest_s = len(self.guard.kept), self.guard.until_s - self._now()
            _log.error("mass removal: %d endpoints vanished; those that answer are called on for %.0f s", count, rest_s)
            asyncio.get_running_loop().call_later(rest_s, self._end)
        self._on_changed()

    def _end(self) -> None:
        ended = self.guard.end()
        if ended:
            _log.error("mass removal: %d endpoints did not come back and are called no more", len(ended))
            self._keep(ended)
        elif self.guard.kept:  # the timer was early
            asyncio.get_running_loop().call_later(RETRY_S, self._end)

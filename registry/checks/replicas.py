"""Which replicas are alive: each says so on the bus every two seconds, and one not heard for three turns is gone."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.live.interface import Bus

_TOPIC: Final = "replica"
_SAY_EVERY_S: Final = 2.0
_GONE_AFTER_S: Final = 3 * _SAY_EVERY_S


class Replicas:
    """clock: monotonic seconds. own: this replica's id, anew at every start. `run` is its task."""

    def __init__(self, bus: Bus, clock: Callable[[], float]) -> None:
        self.own: Final = secrets.token_bytes(8)
        self._bus = bus
        self._clock = clock
        self._heard: dict[bytes, float] = {}
        self._alive = frozenset({self.own})
        bus.subscribe(_TOPIC, self._hear)

    def alive(self) -> frozenset[bytes]:
        """This one included. While the bus is silent it says nothing of the others: those last known count."""
        if self._bus.silent_since_s is None:
            gone = self._clock() - _GONE_AFTER_S
            self._heard = {replica: at for replica, at in self._heard.items() if at > gone}
            self._alive = frozenset({self.own, *self._heard})
        else:
            # When it is back, those it kept from us must not count as gone for the silence.
            self._heard = dict.fromkeys(self._heard, self._clock())
        return self._alive

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.say()
            await asyncio.sleep(_SAY_EVERY_S)

    def say(self) -> None:
        self._bus.publish(_TOPIC, self.own)

    def _hear(self, message: bytes) -> None:
        if message != self.own:
            self._heard[message] = self._clock()

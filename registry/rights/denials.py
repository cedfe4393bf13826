"""Writes that were denied, as rows of the audit log: as many as a person can make, and no more.

Whoever asks without end must not fill the store: of one address a burst is kept and then one a second, and so of all
together, some more. What is left out is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import Problem
from registry.revisions.acts import Actor, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.revisions.revisions import Revisions

BURST: Final = 20
PER_S: Final = 1.0
BURST_OF_ALL: Final = 200
PER_S_OF_ALL: Final = 10.0
_ADDRESSES: Final = 1000
# A path may be long, and who sends it need not have signed in.
MAX_ACTION: Final = 300


class Denials:
    """clock: monotonic seconds. dropped: how many stand in no row."""

    def __init__(self, revisions: Revisions, clock: Callable[[], float]) -> None:
        self._revisions = revisions
        self._clock = clock
        self._of_all = Allowance(BURST_OF_ALL, PER_S_OF_ALL, clock())
        self._by_address: dict[str, Allowance] = {}
        self.dropped = 0

    def note(self, actor: Actor, status: int) -> None:
        now = self._clock()
        mine = self._by_address.get(actor.address)
        if mine is None:
            if len(self._by_address) >= _ADDRESSES:
                self._by_address.clear()
            mine = self._by_address[actor.address] = Allowance(BURST, PER_S, now)
        if not (mine.take(now) and self._of_all.take(now)):
            self.dropped += 1
            return
        if len(actor.action) > MAX_ACTION:
            actor = msgspec.structs.replace(actor, action=actor.action[: MAX_ACTION - 1] + "…")
        try:
            self._revisions.submit(Refused(actor, status))
        except Problem:  # too many writes wait, and this one was answered already
            self.dropped += 1


class Allowance:
    """burst: at once; per_s: again later."""

    __slots__ = ("_at", "_burst", "_left", "_per_s")

    def __init__(self, burst: float, per_s: float, now: float) -> None:
        self._burst, self._per_s, self._left, self._at = burst, per_s, burst, now

    def take(self, now: float) -> bool:
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

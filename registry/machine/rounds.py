"""Writes to followers in rounds: everybody who has something to be told, once a round.

Who entered is asked in the round after a commit and needs no wake: a commit costs the same however many follow.

A write to a socket is what a follower costs, far more than its bytes do. So rounds that follow each other closely are
spread, long enough that writing takes a tenth of the time at most, and the commits meanwhile gather for the next. A few
rounds after a quiet time leave at once. What writing took is not measured: the loop sends when all callbacks have run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from registry.machine.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

# For each who was written to. A write takes 6 to 10 us, mostly the kernel's; with 100 followers this rest saves a
# registration a tenth of its CPU time under load, with 400 a fifth.
REST_S: Final = 100e-6
# However many they are: nobody waits longer than this for the first of a thousand writes.
MAX_REST_S: Final = 0.02
# Rest that need not be kept after a quiet time.
AHEAD_S: Final = 0.05


class Rounds:
    """Of one loop. Who joins is asked for a piece in the next round, and in turns for what it has more.

    Asking: those who entered are being asked; the next round of them begins when all have been.
    """

    __slots__ = ("_due", "_entered", "_is_asking", "_is_set", "_is_told", "_loop", "_next_s", "_turns")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = Turns()
        self._due: list[Callable[[], bool]] = []
        self._entered: dict[Callable[[], bool], None] = {}
        self._is_set = self._is_told = self._is_asking = False
        self._next_s = 0.0

    def enter(self, ask: Callable[[], bool]) -> None:
        """Asked in every round after a commit, until it leaves.

        ask: as in `Turns.join`.
        """
        self._entered[ask] = None

    def leave(self, ask: Callable[[], bool]) -> None:
        self._entered.pop(ask, None)

    def tell(self) -> None:
        """There was a commit. Called within it: writing waits for the loop's next turn at least."""
        self._is_told = True
        if not self._is_asking:
            self._set()

    def join(self, write: Callable[[], bool]) -> None:
        """May be called within a commit: writing waits for the loop's next turn at least.

        write: as in `Turns.join`.
        """
        self._due.append(write)
        self._set()

    def go_on(self, write: Callable[[], bool]) -> None:
        """For one that was held up in the midst of what it has to be told: it waits for no round."""
        self._turns.join((write,))

    def _set(self) -> None:
        if self._is_set:
            return
        self._is_set = True
        loop = self._loop = self._loop or asyncio.get_running_loop()
        loop.call_at(max(self._next_s, loop.time()), self._write_all)

    def _write_all(self) -> None:
        assert self._loop is not None
        due, self._due = self._due, []
        self._is_set = False
        if self._is_told and not self._is_asking:
            self._is_told, self._is_asking = False, True
            due += self._entered
            due.append(self._asked)
        quiet_since_s = max(self._next_s, self._loop.time() - AHEAD_S)
        self._next_s = quiet_since_s + min(REST_S * len(due), MAX_REST_S)
        self._turns.join(due)

    def _asked(self) -> bool:
        self._is_asking = False
        if self._is_told:
            self._set()
        return False

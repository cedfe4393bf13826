"""This registry's word to the store that it keeps renewals the others cannot hear: while it stands, none sweeps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from meshway.tasks import spawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.live.interface import Veto

_WAIT_S: Final = 1.5
# A registry that stood still since it last asked may have lost its veto, and answers nothing on its own.
_FRESH_S: Final = 1.0


class HeldSweep:
    """clock: monotonic seconds."""

    def __init__(self, veto: Veto, clock: Callable[[], float]) -> None:
        self._veto = veto
        self._clock = clock
        self._is_held = self._must_release = False
        # When the veto was last asked for, and stood.
        self._held_s = 0.0
        self._holding: asyncio.Task[bool] | None = None

    @property
    def is_held(self) -> bool:
        """As it was when `held` was said last."""
        return self._is_held

    @property
    def is_sure(self) -> bool:
        """Whether it holds still: asked for only a moment ago."""
        return self._is_held and self._clock() - self._held_s < _FRESH_S

    async def hold(self) -> bool:
        """Whether the store says so, in time."""
        self._must_release = True  # also when the answer is lost on its way
        holding = self._holding
        if holding is None:
            holding = self._holding = spawn(self._veto.hold(), name="veto of the sweep")
        # A database that is slow is asked once, and its late answer serves those who come later.
        await asyncio.wait([holding], timeout=_WAIT_S)
        if not holding.done():
            return False
        if self._holding is holding:
            self._holding = None
        return holding.result()

    def held(self, *, is_held: bool, asked_s: float) -> None:
        """What `hold` answered. asked_s: when it was asked."""
        self._is_held, self._held_s = is_held, asked_s

    def end(self) -> None:
        """The others hear of renewals again."""
        self._is_held = False

    def release(self) -> None:
        """Not waited for: looking must go on while the store is slow. After a later look while a question is out, which
        may be answered when nobody waits for it any more."""
        if self._must_release and (self._holding is None or self._holding.done()):
            self._holding = None
            self._must_release = False
            spawn(self._veto.release(), name="end of the veto")

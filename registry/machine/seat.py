"""A connection's place among those that may be open, or in the small crowd that is told that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.manners.places import CROWDED

if TYPE_CHECKING:
    from meshway.problem import Problem
    from registry.manners.places import Caps


class Seat:
    """refusal: what each request gets, where it has no place. is_out: not even one of the crowd."""

    __slots__ = ("_caps", "_has_left", "_peer", "is_out", "refusal")

    def __init__(self, caps: Caps, peer: str) -> None:
        self._caps = caps
        self._peer = peer
        self._has_left = False
        self.refusal: Problem | None = caps.connections.take(peer)
        self.is_out = self.refusal is not None and caps.crowded >= CROWDED
        if self.refusal is not None and not self.is_out:
            caps.crowded += 1

    def leave(self) -> None:
        if self._has_left:
            return
        self._has_left = True
        if self.refusal is None:
            self._caps.connections.leave(self._peer)
        elif not self.is_out:
            self._caps.crowded -= 1

"""What several ask for at the same time is worked out once, and holds for a moment: the longer, the dearer it was.

However many ask for one thing, and however large the mesh is, working it out takes a small share of the time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

_T = TypeVar("_T")
# What working it out took, times this, is the shortest time until it is worked out again.
SHARE: Final = 20.0
# So old it may be, whatever it costs: pages ask every ten seconds.
OLDEST_S: Final = 10.0


class _Kept(Generic[_T]):
    """made_at: when the value was begun; the lock is held while it is. holds_s: from then on."""

    __slots__ = ("holds_s", "lock", "made_at", "value")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.made_at = float("-inf")
        self.holds_s = 0.0
        self.value: _T | None = None


class Shared(Generic[_T]):
    """now: seconds, of any beginning. fresh_s: how long a value holds at least, from when it was begun. spent: seconds
    that only go on, by which what it costs is told."""

    def __init__(self, now: Callable[[], float], fresh_s: float, spent: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._fresh_s = fresh_s
        self._spent = spent
        self._kept: dict[Hashable, _Kept[_T]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[_T]]) -> _T:
        """Who comes while it is being made waits for it. What `make` raises is its caller's alone: the next one who
        waits tries again."""
        self._forget()
        kept = self._kept.setdefault(key, _Kept())
        async with kept.lock:
            if kept.value is None or not self._is_fresh(kept):
                began, spent = self._now(), self._spent()
                kept.value = await make()
                kept.made_at = began
                kept.holds_s = min(max(self._fresh_s, SHARE * (self._spent() - spent)), OLDEST_S)
            return kept.value

    def _is_fresh(self, kept: _Kept[_T]) -> bool:
        return 0.0 <= self._now() - kept.made_at < kept.holds_s

    def _forget(self) -> None:
        for key in [key for key, kept in self._kept.items() if not (kept.lock.locked() or self._is_fresh(kept))]:
            del self._kept[key]

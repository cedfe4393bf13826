"""What several ask for at the same time is worked out once, and holds for a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

_T = TypeVar("_T")


class _Kept(Generic[_T]):
    """made_at: when the value was begun; the lock is held while it is."""

    __slots__ = ("lock", "made_at", "value")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.made_at = float("-inf")
        self.value: _T | None = None


class Shared(Generic[_T]):
    """now: seconds, of any beginning. fresh_s: how long a value holds, from when it was begun."""

    def __init__(self, now: Callable[[], float], fresh_s: float) -> None:
        self._now = now
        self._fresh_s = fresh_s
        self._kept: dict[Hashable, _Kept[_T]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[_T]]) -> _T:
        """Who comes while it is being made waits for it. What `make` raises is its caller's alone: the next one who
        waits tries again."""
        self._forget()
        kept = self._kept.setdefault(key, _Kept())
        async with kept.lock:
            if kept.value is None or not self._is_fresh(kept):
                began = self._now()
                kept.value = await make()
                kept.made_at = began
            return kept.value

    def _is_fresh(self, kept: _Kept[_T]) -> bool:
        return 0.0 <= self._now() - kept.made_at < self._fresh_s

    def _forget(self) -> None:
        for key in [key for key, kept in self._kept.items() if not (kept.lock.locked() or self._is_fresh(kept))]:
            del self._kept[key]

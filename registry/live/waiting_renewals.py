"""Renewals that wait to be written to Redis, many callers' at once, and no more than there is room for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.problem import Problem, soon
from registry.live.interface import Claimed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.live.interface import Lease

# Beyond it heartbeats are refused (503) and come again.
MAX_WAITING: Final = 200_000


class Waiting(NamedTuple):
    """Renewals of one call on their way. overdue: those a sweep may have claimed; who keeps them asks the store."""

    leases: list[Lease]
    overdue: list[Claimed]
    written: asyncio.Future[list[Claimed]]


class WaitingRenewals:
    def __init__(self) -> None:
        self._queue: deque[Waiting] = deque()
        self._count = 0
        self._is_due = asyncio.Event()

    def refuse_when_full(self, more: int) -> None:
        """Raises Problem 503."""
        if self._count + more > MAX_WAITING:
            raise unavailable()

    def add(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        self._count += len(waiting.leases)
        self._is_due.set()

    async def due(self) -> None:
        """Until some wait."""
        await self._is_due.wait()

    def look_again(self) -> None:
        """Though nothing was added: what waits may go now."""
        self._is_due.set()

    def rest(self) -> None:
        """Until something is added, if nothing waits."""
        if not self._queue:
            self._is_due.clear()

    def take(self, most: int) -> list[Waiting]:
        """The oldest, of at least `most` leases if there are so many. They count as waiting until they are settled, or
        given back."""
        batch: list[Waiting] = []
        size = 0
        while self._queue and size < most:
            batch.append(self._queue.popleft())
            size += len(batch[-1].leases)
        self.rest()
        return batch

    def give_back(self, batch: list[Waiting]) -> None:
        self._queue.extendleft(reversed(batch))

    def settle(self, batch: list[Waiting], marks: Mapping[str, int]) -> None:
        """They are written. marks: of the leases among them that a sweep has claimed."""
        for waiting in batch:
            self._count -= len(waiting.leases)
            if not waiting.written.done():
                claimed = [one for one in waiting.leases if one.lease_id in marks] if marks else []
                waiting.written.set_result([Claimed(one, marks[one.lease_id]) for one in claimed])

    def give_up(self, *, is_kept: bool) -> Sequence[Lease]:
        """Answers all that wait: they are kept here, and the others know that such may be, or not. The leases."""
        leases: list[Lease] = []
        while self._queue:
            waiting = self._queue.popleft()
            self._count -= len(waiting.leases)
            leases += waiting.leases
            if waiting.written.done():
                continue
            if is_kept:
                waiting.written.set_result(waiting.overdue)
            else:
                waiting.written.set_exception(unavailable())
                waiting.written.exception()  # a caller that went away must not become a log line
        return leases


def unavailable() -> Problem:
    return Problem(
        503,
        "live_unavailable",
        "Not taking heartbeats",
        detail="neither Redis nor the store answers, so no other registry would know of the renewal",
        mend="ask another registry, or repeat the call after Retry-After",
        headers=soon(),
    )

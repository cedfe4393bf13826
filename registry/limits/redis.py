"""Shared limits over several registries: Redis (or Valkey) keeps the book, and its clock is the only one.

What is asked while an exchange is under way goes out with the next one, so Redis is asked by all gateways together.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.problem import Problem
from registry.limits.books import holder_of
from registry.limits.script import ASSIGN, pack_assign, read_grant
from registry.live.redis_link import LiveAway, RedisLink, masked

if TYPE_CHECKING:
    from meshway.assignments.messages import Asks, Grant

_TRY_EVERY_S: Final = 0.3
_MOST_WAITING: Final = 50_000  # asks; beyond it the gateways count alone
_MOST_TOGETHER: Final = 5_000

_log = logging.getLogger("registry.limits")


class _Waiting(NamedTuple):
    asks: Asks
    workers: int
    done: asyncio.Future[list[Grant]]


class RedisBooks:
    """`run` is its task; until it has connected the book counts as away."""

    def __init__(self, url: str) -> None:
        """Raises StartRefused."""
        self._url = masked(url)
        self._link = RedisLink(url, [ASSIGN])
        self._away: str = "not connected yet"
        self._queue: deque[_Waiting] = deque()
        self._waiting = 0
        self._queued = asyncio.Event()

    def assign(self, asks: Asks, workers: int) -> asyncio.Future[list[Grant]]:
        if self._away or self._waiting + len(asks.asks) > _MOST_WAITING:
            raise _unavailable(self._away or "too much is asked of it")
        done: asyncio.Future[list[Grant]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(asks, workers, done))
        self._waiting += len(asks.asks)
        self._queued.set()
        return done

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._link.open()
                    if self._away:
                        _log.info("Redis at %s keeps the book of shared limits", self._url)
                        self._away = ""
                    await self._serve()
                except LiveAway as away:
                    self._lose(str(away))
                    await asyncio.sleep(_TRY_EVERY_S)
        finally:
            await self._link.close()

    async def _serve(self) -> None:
        """Raises LiveAway."""
        while True:
            await self._queued.wait()
            batch: list[_Waiting] = []
            size = 0
            while self._queue and size < _MOST_TOGETHER:
                batch.append(self._queue.popleft())
                size += len(batch[-1].asks.asks)
            self._waiting -= size
            if not self._queue:
                self._queued.clear()
            try:
                await self._ask(batch)
            except LiveAway as away:
                for waiting in batch:
                    _refuse(waiting, str(away))
                raise

    async def _ask(self, batch: list[_Waiting]) -> None:
        sha = self._link.shas[0]
        asked = [
            pack_assign(sha, one.asks.budgets[ask.budget], ask, holder_of(one.asks.node, ask.worker), one.workers)
            for one in batch
            for ask in one.asks.asks
        ]
        answers = iter(await self._link.ask(asked) if asked else ())
        for one in batch:
            grants = [read_grant(next(answers)) for _ in one.asks.asks]
            if not one.done.done():
                one.done.set_result(grants)

    def _lose(self, why: str) -> None:
        if not self._away:
            _log.warning("Redis at %s is missing (%s): gateways count their limits alone", self._url, why)
        self._away = why
        while self._queue:
            waiting = self._queue.popleft()
            self._waiting -= len(waiting.asks.asks)
            _refuse(waiting, why)
        self._queued.clear()


def _refuse(waiting: _Waiting, why: str) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(_unavailable(why))
        waiting.done.exception()  # a caller that went away must not become a log line


def _unavailable(why: str) -> Problem:
    return Problem(
        503, "limits_unavailable", "Shared limits cannot be counted now", detail=f"Redis: {why}",
        headers={"Retry-After": "1"},
    )  # fmt: skip

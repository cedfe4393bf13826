"""Nonces that were used: each once on a host, whichever worker it comes to: the supervisor has the book."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Protocol

MOST: Final = 100_000
ANSWER_S: Final = 1.0


class NonceBook:
    """Full = nothing is fresh any more: to forget one that still holds would be to let it in twice."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes]] = []

    def use(self, mark: bytes, until: float, wall_s: float) -> bool:
        """Whether it is fresh; from now on it is not. mark: of key and nonce. until, wall_s: seconds since 1970."""
        while self._ends and self._ends[0][0] <= wall_s:
            self._used.discard(heappop(self._ends)[1])
        if mark in self._used or len(self._used) >= self._most:
            return False
        self._used.add(mark)
        heappush(self._ends, (until, mark))
        return True


class Nonces(Protocol):
    async def use(self, mark: bytes, until: float) -> bool | None:
        """As a NonceBook; None: nobody can tell now."""


class OwnNonces:
    """Where there is one process."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._book, self._wall = NonceBook(), wall

    async def use(self, mark: bytes, until: float) -> bool | None:
        return self._book.use(mark, until, self._wall())


class AskedNonces:
    """A worker's: send puts the question (a number, mark and until) to the supervisor, whose answer comes by `told`."""

    def __init__(self, send: Callable[[int, bytes, float], None]) -> None:
        self._send = send
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[bool]] = {}

    async def use(self, mark: bytes, until: float) -> bool | None:
        self._asked += 1
        number = self._asked
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send(number, mark, until)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]

    def told(self, number: int, is_fresh: bool) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(is_fresh)

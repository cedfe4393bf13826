"""Nonces that were used: each once on a host, whichever worker it comes to: the supervisor has the book."""

import asyncio
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Protocol

MOST: Final = 200_000
MOST_OF_ONE: Final = 100_000  # of one key: else whoever has one shuts out all others
WHOSE: Final = 8  # bytes at the beginning of a mark, which tell whose it is
ANSWER_S: Final = 1.0
LONGEST_S: Final = 3660.0  # that a nonce may hold: the longest max_age, and what clocks may be ahead


class NonceBook:
    """Full = nothing is fresh any more: to forget one that still holds would be to let it in twice."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._count: Counter[bytes] = Counter()
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes]] = []

    def use(self, mark: bytes, until: float, wall_s: float) -> bool:
        """Whether it is fresh; from now on it is not. mark: whose it is, then key
        and nonce. until, wall_s: seconds since 1970."""
        while self._ends and self._ends[0][0] <= wall_s:
            ended = heappop(self._ends)[1]
            self._used.discard(ended[WHOSE:])
            self._count[ended[:WHOSE]] -= 1
            if not self._count[ended[:WHOSE]]:
                del self._count[ended[:WHOSE]]
        whose, nonce = mark[:WHOSE], mark[WHOSE:]
        if nonce in self._used or len(self._used) >= self._most or self._count[whose] >= self._most_of_one:
            return False
        self._used.add(nonce)
        self._count[whose] += 1
        heappush(self._ends, (until, mark))
        return True

    def held(self) -> list[tuple[float, bytes]]:
        """Until when (seconds since 1970), and the mark, of each that is used."""
        return list(self._ends)

    def __len__(self) -> int:
        return len(self._used)


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

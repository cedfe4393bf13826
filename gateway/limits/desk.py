"""Where a worker's limits get their assignments: one desk for those shared in the mesh, one for those of this host.

Asks of one turn of the loop go out together; their answers come back in the same order.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from meshway.assignments.messages import MOST_ASKS, Ask, Budget, Grant


class Asking(Protocol):
    """A limit that counts by assignments."""

    budget: Budget

    def ask_of(self, key: str, worker: str, budget: int, now: float) -> Ask:
        """What it wants for the key now; it goes out at once."""

    def granted(self, key: str, grant: Grant, asked_at: float, now: float) -> None: ...


class Asked:
    """What was asked together, until it is answered."""

    __slots__ = ("asked_at", "era", "wanted")

    def __init__(self, wanted: list[tuple[Asking, str]], asked_at: float, era: int) -> None:
        self.wanted = wanted
        self.asked_at = asked_at
        self.era = era


class Desk:
    """worker: unique on this host. send: takes a number, budgets and asks to whoever answers. soon: runs something at
    the end of this turn of the loop.

    lost: why nobody answers now, "" = somebody does. workers: live ones that share, 0 = not known yet. era: grows
    whenever answers that were waited for will not come.
    """

    def __init__(
        self,
        worker: str,
        send: Callable[[int, list[Budget], list[Ask]], None],
        soon: Callable[[Callable[[], None]], object],
        now: Callable[[], float],
        *,
        workers: int = 0,
        lost: str = "",
    ) -> None:
        self.worker = worker
        self.workers = workers
        self.lost = lost
        self.era = 0
        self._send = send
        self._soon = soon
        self._now = now
        self._wanted: list[tuple[Asking, str]] = []
        self._asked: dict[int, Asked] = {}
        self._number = 0
        self._then: deque[tuple[int, Callable[[], None]]] = deque()

    def want(self, limit: Asking, key: str) -> None:
        """Once, until it is answered."""
        if not self._wanted:
            self._soon(self.flush)
        self._wanted.append((limit, key))

    @property
    def is_asking(self) -> bool:
        return bool(self._wanted or self._asked)

    def when_answered(self, then: Callable[[], None]) -> None:
        """Runs it once, when all that was asked up to now is answered, or nobody answers. Answers keep their order."""
        ahead = -(-len(self._wanted) // MOST_ASKS)
        self._then.append((self._number + ahead, then))

    def flush(self) -> None:
        wanted, self._wanted = self._wanted, []
        if self.lost:
            return  # asked again once somebody answers
        for at in range(0, len(wanted), MOST_ASKS):
            self._ask(wanted[at : at + MOST_ASKS])

    def _ask(self, wanted: list[tuple[Asking, str]]) -> None:
        now = self._now()
        places: dict[Budget, int] = {}
        asks = [
            limit.ask_of(key, self.worker, places.setdefault(limit.budget, len(places)), now) for limit, key in wanted
        ]
        self._number += 1
        self._asked[self._number] = Asked(wanted, now, self.era)
        self._send(self._number, list(places), asks)

    def answered(self, number: int, grants: list[Grant], workers: int) -> None:
        """A number that nobody waits for any more is passed over."""
        asked = self._asked.pop(number, None)
        self.workers = workers
        if asked is None or asked.era != self.era:
            return
        now = self._now()
        for (limit, key), grant in zip(asked.wanted, grants, strict=True):
            limit.granted(key, grant, asked.asked_at, now)
        self._go_on(number)

    def _go_on(self, number: int) -> None:
        then = self._then
        while then and then[0][0] <= number:
            then.popleft()[1]()

    def tell(self, lost: str, workers: int) -> None:
        """Whether somebody answers from now on."""
        if lost and not self.lost:
            self.era += 1
            self._asked.clear()
            self._wanted.clear()
        self.lost = lost
        self.workers = workers or self.workers
        if lost:
            self._go_on(self._number + 1)

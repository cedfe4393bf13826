"""Those who wait until a limit lets them pass: by key, in the order they came, bounded in number and time.

Nobody overtakes: who comes while others wait stands behind them. The line is served at each beat of the worker's clock,
as if every call had gone at the very moment its turn came, so a beat costs none of the limit's rate.
"""

from collections import OrderedDict
from collections.abc import Callable, MutableSet
from typing import Final, Protocol

from gateway.limits.algorithm import Algorithm

_LEAST_WAIT_S: Final = 1e-3  # above 0, which would mean that he was counted

CalledOn = Callable[[float], None]  # 0: counted, go on; else refused, with the seconds to come back in


class Advancing(Protocol):
    """What has something to do at the next beat; it puts itself into the worker's set, and takes itself out."""

    def advance(self, now: float) -> None: ...


class Ticket:
    """A place in line. cost: what the call counts for."""

    __slots__ = ("called_on", "cost", "joined", "key")

    def __init__(self, key: str, joined: float, called_on: CalledOn, cost: int) -> None:
        self.key = key
        self.cost = cost
        self.joined = joined
        self.called_on = called_on


class _Queue:
    """clock: up to when it was served. cost: of all who stand in it."""

    __slots__ = ("clock", "cost", "tickets")

    def __init__(self, clock: float) -> None:
        self.clock = clock
        self.cost = 0
        self.tickets: OrderedDict[Ticket, None] = OrderedDict()


class Line:
    """algorithm: of the limit. patience_s: the longest wait. most: waiting calls of one key. advancing: the worker's
    set. on_join: told of a key that is waited for. at_the_end: decides of one who has waited his time: 0 has counted
    him and lets him pass, None has him wait on and is asked again at the next beat; without it he is refused. is_paced:
    the algorithm knows when a turn comes, and not only that it has come.
    """

    __slots__ = ("_advancing", "_algorithm", "_at_the_end", "_is_paced", "_on_join", "most", "patience_s", "queues")

    def __init__(
        self,
        algorithm: Algorithm,
        patience_s: float,
        most: int,
        advancing: MutableSet[Advancing],
        *,
        on_join: Callable[[str, float], None] | None = None,
        at_the_end: Callable[[Ticket, float], float | None] | None = None,
        is_paced: bool = True,
    ) -> None:
        self._algorithm = algorithm
        self._advancing = advancing
        self._on_join = on_join
        self._at_the_end = at_the_end
        self._is_paced = is_paced
        self.queues: dict[str, _Queue] = {}
        self.patience_s = patience_s
        self.most = most

    def count(self, key: str) -> int:
        queue = self.queues.get(key)
        return 0 if queue is None else len(queue.tickets)

    def cost(self, key: str) -> int:
        """What all who wait for the key count for."""
        queue = self.queues.get(key)
        return 0 if queue is None else queue.cost

    def first_cost(self, key: str) -> int:
        """What the next one counts for; 0: nobody waits."""
        queue = self.queues.get(key)
        return 0 if queue is None or not queue.tickets else next(iter(queue.tickets)).cost

    @property
    def waiting(self) -> int:
        return sum(len(queue.tickets) for queue in self.queues.values())

    def join(self, key: str, now: float, called_on: CalledOn, cost: int = 1) -> Ticket:
        """called_on is called once, later, unless the ticket is given back."""
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = _Queue(now)
            self._advancing.add(self)
        ticket = Ticket(key, now, called_on, cost)
        queue.tickets[ticket] = None
        queue.cost += cost
        if self._on_join is not None:
            self._on_join(key, now)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Also when it was called on already. Those behind move up."""
        queue = self.queues.get(ticket.key)
        if queue is not None and ticket in queue.tickets:
            _take_out(queue, ticket)

    def advance(self, now: float) -> None:
        for key in tuple(self.queues):
            self.serve(key, now)

    def serve(self, key: str, now: float) -> None:
        """Calls on all whose turn has come, and refuses those who have waited their time."""
        queue = self.queues.get(key)
        if queue is None:
            return
        tickets, algorithm = queue.tickets, self._algorithm
        while tickets:
            first = next(iter(tickets))
            turn = max(queue.clock, first.joined) if self._is_paced else now
            turn += algorithm.wait_s(key, turn, 0, first.cost)
            if turn > now or (self._is_paced and turn > first.joined + self.patience_s):
                break
            queue.clock = turn
            algorithm.spend(key, turn, first.cost)
            _take_out(queue, first)
            first.called_on(0.0)
        while tickets:
            first = next(iter(tickets))
            if first.joined + self.patience_s > now or (wait_s := self._end(first, now)) is None:
                break
            _take_out(queue, first)
            first.called_on(wait_s)
        self._forget_empty(key, queue)

    def refuse(self, key: str, wait_s: float) -> None:
        """All of the key: no turn will come in time."""
        queue = self.queues.get(key)
        if queue is None:
            return
        while queue.tickets:
            ticket = next(iter(queue.tickets))
            _take_out(queue, ticket)
            ticket.called_on(wait_s)
        self._forget_empty(key, queue)

    def _end(self, ticket: Ticket, now: float) -> float | None:
        if self._at_the_end is not None:
            return self._at_the_end(ticket, now)
        behind = self.cost(ticket.key) - ticket.cost
        return max(self._algorithm.wait_s(ticket.key, now, behind, ticket.cost), _LEAST_WAIT_S)

    def _forget_empty(self, key: str, queue: _Queue) -> None:
        if not queue.tickets and self.queues.get(key) is queue:
            del self.queues[key]
            if not self.queues:
                self._advancing.discard(self)


def _take_out(queue: _Queue, ticket: Ticket) -> None:
    del queue.tickets[ticket]
    queue.cost -= ticket.cost

"""A call that limits have not done with when its filter has run: it stands in line, or is counted until it is over."""

from collections.abc import Callable, Sequence

from gateway.exchange import Exchange, Reply
from gateway.filters.limit import AppliedLimit, Counted, Limit
from gateway.limits.line import Ticket
from gateway.plan import Parts
from gateway.verdict import Turn
from meshway.http1.fields import remove
from meshway.http1.message import ResponseHead


class Standing(Turn):
    """admitted: by limits that had room and have counted it. waiting: those it stands in line for; it goes on when all
    of them have called on it. What is counted stays counted when it leaves the line."""

    __slots__ = ("_admitted", "_exchange", "_parts", "_resume", "_tickets", "_waiting")

    def __init__(self, exchange: Exchange, admitted: list[Counted], waiting: list[Counted], parts: Parts) -> None:
        self._exchange = exchange
        self._admitted = admitted
        self._waiting = waiting
        self._parts = parts
        self._tickets: dict[Limit, Ticket] = {}

    def wait(self, resume: Callable[[Reply | None], None]) -> None:
        self._resume = resume
        now = self._parts.now()
        for counted in self._waiting:
            limit, key, cost = counted
            assert limit.line is not None
            self._tickets[limit] = limit.line.join(key, now, self._hearing(counted), cost)
        if not self._waiting:
            self._go_on(now)

    def leave(self) -> None:
        self._leave_lines()
        now = self._parts.now()
        for limit, key, cost in self._admitted:
            if limit.running is not None:
                limit.running.release(key, now)
            if limit.end_cost is not None:
                _settle(limit, key, limit.end_cost(self._exchange) - cost, now)
            if limit.answer_cost is not None:
                limit.counted.pop(self._exchange, None)
        self._admitted = []

    def _leave_lines(self) -> None:
        while self._tickets:
            limit, ticket = self._tickets.popitem()
            assert limit.line is not None
            limit.line.leave(ticket)

    def _hearing(self, counted: Counted) -> Callable[[float], None]:
        limit, key, _ = counted

        def called_on(wait_s: float) -> None:
            self._tickets.pop(limit, None)
            now = self._parts.now()
            if wait_s > 0.0:
                self._leave_lines()
                self._resume(limit.refusal(key, wait_s, now, self._parts.random))
                return
            self._admitted.append(counted)
            if not self._tickets:
                self._go_on(now)

        return called_on

    def _go_on(self, now: float) -> None:
        tell(self._exchange, self._admitted, now)
        for limit, key, _ in self._admitted:
            if limit.answer_cost is not None:
                limit.counted[self._exchange] = key
        self._resume(None)


def tell(exchange: Exchange, admitted: list[Counted], now: float) -> None:
    """In the answer, how each limit stands."""
    # The tightest first: whoever reads one pair only reads the one that will stop him.
    admitted.sort(key=lambda counted: counted.limit.counts.left(counted.key, now))
    for limit, key, _ in admitted:
        if limit.policy.mode == "enforce":
            exchange.added += limit.fields_now(key, now)


def compile_settling(
    limits: Sequence[AppliedLimit], now_of: Callable[[], float]
) -> Callable[[Exchange, ResponseHead], None] | None:
    """Counts what answers say that their calls were worth; None: no limit asks them."""
    asking = [(applied.limit, of) for applied in limits if (of := applied.limit.answer_cost) is not None]
    if not asking:
        return None

    def settle(exchange: Exchange, head: ResponseHead) -> None:
        for limit, cost_of in asking:
            key = limit.counted.pop(exchange, None)
            if key is not None:
                _settle(limit, key, cost_of(head) - 1, now_of())

    return settle


def compile_cost_removal(limits: Sequence[AppliedLimit]) -> Callable[[ResponseHead], None] | None:
    """Takes what a service tells the gateway of a call's cost out of its answer."""
    costs = [applied.limit.policy.cost for applied in limits]
    named = [cost.response_header for cost in costs if not isinstance(cost, int)]
    names = frozenset(name.lower().encode() for name in named if name is not None)
    if not names:
        return None

    def take_out(head: ResponseHead) -> None:
        head.block = remove(head.block, names)

    return take_out


def _settle(limit: Limit, key: str, owed: int, now: float) -> None:
    if owed > 0:
        limit.counts.spend(key, now, owed)

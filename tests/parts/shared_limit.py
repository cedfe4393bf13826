"""Workers that share one limit, on a clock of the test's own: real desks and a real ledger, a network between them.

Nothing waits in real time: what is due next happens next.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from gateway.limits.assigned import Assigned
from gateway.limits.assigned_in_flight import AssignedInFlight
from gateway.limits.assigned_quota import AssignedQuota
from gateway.limits.calendar import Calendar
from gateway.limits.desk import Desk
from gateway.limits.in_flight import InFlight
from gateway.limits.line import Advancing
from gateway.limits.quota import Quotas
from gateway.limits.sliding_window import SlidingWindows
from gateway.limits.token_bucket import TokenBuckets
from meshway.assignments.ledger import Ledger
from meshway.assignments.messages import Ask, Budget, Grant

BEAT_S = 0.01


class Clock:
    """Things that are due, in order."""

    def __init__(self, begins: float) -> None:
        self.now_s = begins
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def __call__(self) -> float:
        return self.now_s

    def at(self, moment: float, what: Callable[[], None]) -> None:
        heappush(self._due, (max(moment, self.now_s), next(self._numbers), what))

    def run_until(self, end: float) -> None:
        while self._due and self._due[0][0] <= end:
            self.now_s, _, what = heappop(self._due)
            what()
        self.now_s = end


class SharingWorker:
    """waits: seconds that admitted calls stood in line."""

    def __init__(self, name: str, budget: Budget, mesh: "SharedLimit", patience_s: float) -> None:
        clock, self._mesh, self._name = mesh.clock, mesh, name
        self.advancing: set[Advancing] = set()
        self.desk = Desk(name, self._send, lambda flush: clock.at(clock(), flush), clock, workers=mesh.workers)
        self.limit = self._make_limit(budget, patience_s)
        self.waits: list[float] = []
        self.is_alive = True
        clock.at(mesh.random.uniform(0, BEAT_S), self._beat)

    def _make_limit(self, budget: Budget, patience_s: float) -> Assigned | AssignedInFlight:
        if budget.kind == "running":
            return AssignedInFlight(budget, self.desk, InFlight(budget.limit), self.advancing, patience_s=patience_s)
        if budget.kind == "period":
            calendar = Calendar("day", "UTC", self._mesh.clock)
            return AssignedQuota(budget, self.desk, calendar, Quotas(budget.limit, calendar), self.advancing)
        fallback = (
            SlidingWindows(budget.limit, budget.window_s, budget.segments)
            if budget.kind == "window"
            else TokenBuckets(budget.rate, budget.limit)
        )
        return Assigned(budget, self.desk, fallback, self.advancing, patience_s=patience_s)

    @property
    def assigned(self) -> Assigned:
        """Of what is no place for a running call."""
        assert isinstance(self.limit, Assigned)
        return self.limit

    def call(self, key: str = "k", cost: int = 1) -> None:
        if not self.is_alive:
            return
        now, limit, line = self._mesh.clock(), self.limit, self.limit.line
        ahead = line.cost(key)
        wait_s = limit.wait_s(key, now, ahead, cost)
        if wait_s == 0.0 and not ahead:
            limit.spend(key, now, cost)
            self._admit(now, key, cost)
        elif wait_s <= line.patience_s and line.count(key) < line.most:

            def called_on(wait_s: float) -> None:
                if wait_s == 0.0:
                    self._admit(now, key, cost)
                else:
                    self._refuse(wait_s)

            line.join(key, now, called_on, cost)
        else:
            self._refuse(wait_s)

    def _refuse(self, wait_s: float) -> None:
        self._mesh.told.append(wait_s)

    def _admit(self, came: float, key: str, cost: int) -> None:
        mesh, limit = self._mesh, self.limit
        now = mesh.clock()
        self.waits.append(now - came)
        mesh.admitted += [now] * cost
        if isinstance(limit, AssignedInFlight):
            mesh.running += 1
            mesh.most_running = max(mesh.most_running, mesh.running)
            mesh.clock.at(now + mesh.lasts_s * mesh.random.uniform(0.5, 1.5), lambda: self._end(limit, key))

    def _end(self, limit: AssignedInFlight, key: str) -> None:
        self._mesh.running -= 1
        limit.release(key, self._mesh.clock())

    def _beat(self) -> None:
        if self.is_alive:
            for each in tuple(self.advancing):
                each.advance(self._mesh.clock())
            self._mesh.clock.at(self._mesh.clock() + BEAT_S, self._beat)

    def _send(self, number: int, budgets: list[Budget], asks: list[Ask]) -> None:
        self._mesh.carry(self, number, budgets, asks)


@dataclass
class SharedLimit:
    """way_s: one way of a message, in the mean; drawn anew each time, from nought to twice of it. admitted: moments, as
    many as a call counts for. told: in how many seconds each refused one may come back. lasts_s: of a running call, in
    the mean. running, most_running: calls, now and at the most. begins: at this second of the clock.
    """

    budget: Budget
    workers: int
    seed: int
    way_s: float = 0.001
    patience_s: float = 0.0
    admitted: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    asked: int = 0
    lasts_s: float = 0.1
    running: int = 0
    most_running: int = 0
    begins: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.clock = Clock(self.begins)
        self.ledger = Ledger()
        self.all = [SharingWorker(f"w{n}", self.budget, self, self.patience_s) for n in range(self.workers)]

    @property
    def refused(self) -> int:
        return len(self.told)

    def carry(self, worker: SharingWorker, number: int, budgets: list[Budget], asks: list[Ask]) -> None:
        def arrive() -> None:
            self.asked += len(asks)
            grants = [
                self.ledger.assign(budgets[ask.budget], ask, ask.worker, self.workers, self.clock()) for ask in asks
            ]
            self.clock.at(self.clock() + self._way(), lambda: answer(grants))

        def answer(grants: list[Grant]) -> None:
            if worker.is_alive:
                worker.desk.answered(number, grants, self.workers)

        self.clock.at(self.clock() + self._way(), arrive)

    def _way(self) -> float:
        return self.random.uniform(0.0, 2.0 * self.way_s)

    def load(self, rate: float, begin: float, end: float, workers: list[int] | None = None) -> list[float]:
        """Calls at random moments, `rate` a second in the mean, over these workers. The moments."""
        moments, at = [], begin + self.random.expovariate(rate)
        while at < end:
            moments.append(at)
            worker = self.all[self.random.choice(workers or range(self.workers))]
            self.clock.at(at, worker.call)
            at += self.random.expovariate(rate)
        return moments


def strict_bucket(rate: float, burst: float, moments: list[float]) -> list[float]:
    """Of these calls those that one exact bucket admits."""
    buckets = TokenBuckets(rate, burst)
    return [at for at in moments if buckets.take("k", at) >= 0.0]


def strict_places(limit: int, lasts_s: Callable[[], float], moments: list[float]) -> int:
    """How many of these calls an exact limit would admit. lasts_s: how long the next one of them runs."""
    ends: list[float] = []
    admitted = 0
    for at in moments:
        while ends and ends[0] <= at:
            heappop(ends)
        if len(ends) < limit:
            heappush(ends, at + lasts_s())
            admitted += 1
    return admitted


def excess_of_bucket(rate: float, burst: float, admitted: list[float]) -> float:
    """By how many calls an exact bucket was overdrawn at the worst; 0 or less: never."""
    level, last, worst = burst, 0.0, -burst
    for at in sorted(admitted):
        level = min(burst, level + (at - last) * rate) - 1.0
        last = at
        worst = max(worst, -level)
    return worst


def most_in_a_window(window_s: float, admitted: list[float]) -> int:
    """Calls of the fullest window of any place."""
    most, begin, moments = 0, 0, sorted(admitted)
    for end, at in enumerate(moments):
        while moments[begin] <= at - window_s:
            begin += 1
        most = max(most, end - begin + 1)
    return most

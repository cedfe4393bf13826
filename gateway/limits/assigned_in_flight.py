"""Places for running calls, of which a worker was assigned some: it needs them again and again, and tells what it has.

A place is held while a call runs, and for a while after, so that the next one finds it. What is held is told at least
each RENEW_S, since the book takes the places of a worker that is silent for others.
"""

from collections.abc import Iterable, MutableSet
from heapq import heappop, heappush
from math import inf
from typing import Final

from gateway.limits.alone import OnFailure
from gateway.limits.assigned import ANSWER_S
from gateway.limits.desk import Desk
from gateway.limits.in_flight import SOON_S
from gateway.limits.line import Advancing, Line
from gateway.limits.share import digest
from meshway.assignments.messages import Ask, Budget, Grant

RENEW_S: Final = 1.0
_MOST_IN_LINE: Final = 1000
_REFUSED_S: Final = 1.05 * ANSWER_S  # longer than a call without max_wait stands in line


class _Places:
    """Of one key. held: places that this worker has. running: calls; peak: the most of them since it was told.

    again_at: not to ask before; is_full: the book had no more. left: places nobody has, as the book said. look_at: when
    it is looked at next. era: of the desk.
    """

    __slots__ = (
        "again_at", "era", "held", "is_asking", "is_full", "left", "look_at", "peak", "running", "wants_more",
    )  # fmt: skip

    def __init__(self, limit: int, era: int) -> None:
        self.held = self.running = self.peak = 0
        self.left = float(limit)
        self.again_at = 0.0
        self.look_at = inf
        self.is_asking = self.is_full = self.wants_more = False
        self.era = era


class AssignedInFlight:
    """budget: what is shared. decided: calls admitted while nobody assigned; late: for want of an answer in time."""

    def __init__(
        self,
        budget: Budget,
        desk: Desk,
        advancing: MutableSet[Advancing],
        *,
        on_failure: OnFailure = "local_share",
        patience_s: float = 0.0,
        max_queue: int = _MOST_IN_LINE,
    ) -> None:
        self.budget = budget
        self.dropped = self.decided = self.late = 0
        self._desk = desk
        self._advancing = advancing
        self._on_failure = on_failure
        self._is_patient = patience_s > ANSWER_S
        self._keys: dict[str, _Places] = {}
        self._due: list[tuple[float, str]] = []
        most = max_queue if patience_s else _MOST_IN_LINE
        self.line = Line(
            self, max(patience_s, ANSWER_S), most, advancing,
            on_join=self._expect, at_the_end=self._overdue, is_paced=False,
        )  # fmt: skip

    @property
    def unavailable(self) -> str:
        """Why nothing is admitted, where the policy says so."""
        return self._desk.lost if self._on_failure == "closed" else ""

    # What a limit is asked.

    def share(self, workers: int) -> None:
        """Nothing to do: the desk knows how many share."""

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        places = self._keys.get(key)
        running = places.running if places is not None else 0
        if self._desk.lost:
            return self._wait_alone_s(running + ahead + cost)
        if places is None:
            return ANSWER_S
        self._refresh(places)
        if running + ahead + cost <= places.held:
            return 0.0
        return _REFUSED_S if now < places.again_at else ANSWER_S

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        places = self._keys.get(key) or self._open(key, now)
        places.running += cost
        places.peak = max(places.peak, places.running)
        if self._desk.lost:
            self.decided += 1
            return
        self._refresh(places)
        if places.running >= places.held:
            places.wants_more = True
            self._ask(key, places, now)

    def release(self, key: str, now: float) -> None:
        """A call is over."""
        places = self._keys.get(key)
        if places is None:
            return
        places.running -= 1
        if self.line.queues:
            self.line.serve(key, now)

    def take(self, key: str, now: float) -> float:
        wait_s = self.wait_s(key, now)
        if wait_s > 0.0:
            return -wait_s
        self.spend(key, now)
        return 0.0

    def left(self, key: str, now: float) -> float:
        return self.stand(key, now)[0]

    def reset_s(self, key: str, now: float) -> float:
        return 0.0

    def stand(self, key: str, now: float) -> tuple[float, float]:
        """Places that a call would find: those held and free, and those that nobody has."""
        places = self._keys.get(key)
        limit = self._share() if self._desk.lost else self.budget.limit
        if places is None:
            return float(limit), 0.0
        free = limit if self._desk.lost else places.left + places.held
        return min(max(free - places.running, 0.0), float(limit)), 0.0

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """Nothing: running calls stay with the worker that runs them."""
        return []

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        """Nothing."""

    # What the desk asks and tells.

    def ask_of(self, key: str, worker: str, budget: int, now: float) -> Ask:
        places = self._keys.get(key) or self._open(key, now)
        self._refresh(places)
        places.held = max(places.running, min(places.held, places.peak))
        places.peak = places.running
        ahead = max(places.running // 4, 1) if places.wants_more else 0
        want = self.line.count(key) + ahead
        return Ask(budget=budget, key=digest(key), worker=worker, want=want, held=places.held)

    def granted(self, key: str, grant: Grant, asked_at: float, now: float) -> None:
        places = self._keys.get(key)
        if places is None:
            return
        places.is_asking = places.wants_more = False
        places.held = max(places.held + grant.count, 0)
        places.left = grant.left
        places.again_at = now + grant.again_s
        places.is_full = grant.again_s > 0.0
        self.line.serve(key, now)
        if self.line.count(key):
            if grant.again_s and not self._is_patient:
                self.line.refuse(key, grant.again_s)
            else:
                self._ask(key, places, now)
        if places.held or places.running or self.line.count(key):
            self._look_again(key, places, now + min(grant.keep_s, RENEW_S))
        else:
            del self._keys[key]

    def advance(self, now: float) -> None:
        """Tells what is held, and asks for those who wait."""
        due = self._due
        while due and due[0][0] <= now:
            at, key = heappop(due)
            places = self._keys.get(key)
            if places is None or places.look_at != at:
                continue
            places.look_at = inf
            if self._desk.lost:
                if places.running or self.line.count(key):
                    self._look_again(key, places, now + RENEW_S)
                else:  # nobody takes back what it held, and nothing else would forget it
                    del self._keys[key]
                continue
            self._refresh(places)
            if not places.is_asking:
                places.is_asking = True
                self._desk.want(self, key)
            else:
                self._look_again(key, places, now + RENEW_S)
        if not due:
            self._advancing.discard(self)

    # How.

    def _open(self, key: str, now: float) -> _Places:
        places = self._keys[key] = _Places(self.budget.limit, self._desk.era)
        self._look_again(key, places, now + RENEW_S)
        return places

    def _look_again(self, key: str, places: _Places, at: float) -> None:
        """At that time, or before."""
        if at < places.look_at:
            places.look_at = at
            heappush(self._due, (at, key))
            self._advancing.add(self)

    def _refresh(self, places: _Places) -> None:
        """The book was lost: what runs is claimed anew, and all else is given up."""
        if places.era != self._desk.era:
            places.era = self._desk.era
            places.is_asking = False
            places.held, places.again_at = places.running, 0.0

    def _ask(self, key: str, places: _Places, now: float) -> None:
        if places.is_asking:
            return
        if now < places.again_at:
            self._look_again(key, places, places.again_at)
            return
        places.is_asking = True
        self._desk.want(self, key)

    def _expect(self, key: str, now: float) -> None:
        """Somebody stands in line for it."""
        places = self._keys.get(key) or self._open(key, now)
        if not self._desk.lost:
            self._refresh(places)
            self._ask(key, places, now)

    def _overdue(self, key: str, now: float, cost: int) -> float:
        """Of one who has waited his time: one call is let pass ahead of an answer that is late."""
        places = self._keys.get(key) or self._open(key, now)
        if self._desk.lost:
            wait_s = self._wait_alone_s(places.running + cost)
            if wait_s == 0.0:
                self.spend(key, now, cost)
            return wait_s
        self._refresh(places)
        if places.is_asking and not self._is_patient and places.running <= places.held and not places.is_full:
            places.running += cost
            self.late += 1
            return 0.0
        return SOON_S

    def _share(self) -> int:
        return max(self.budget.limit // max(self._desk.workers, 1), 1)

    def _wait_alone_s(self, running: int) -> float:
        if self._on_failure == "open":
            return 0.0
        if self._on_failure == "closed":
            return inf
        return 0.0 if running <= self._share() else SOON_S

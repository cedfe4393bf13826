"""Places for running calls, of which a worker was assigned some: it needs them again and again, and tells what it has.

A place is held while a call runs. One that is free stays a while for the next call only as long as the book has many
more (`_spare_of`): else it goes back at once, for whoever has the next call. What is held is told at least each
RENEW_S, since the book takes the places of a worker that is silent for others.
"""

from collections.abc import MutableSet
from heapq import heappop, heappush
from math import inf
from typing import Final

from gateway.limits.alone import OnFailure
from gateway.limits.desk import Desk
from gateway.limits.in_flight import SOON_S, InFlight
from gateway.limits.line import Advancing, Ticket
from gateway.limits.share import digest
from gateway.limits.shared import ANSWER_S, MOST_IN_LINE, REFUSED_S, Shared
from meshway.assignments.messages import Ask, Budget, Grant

RENEW_S: Final = 1.0
_IDLE_S: Final = 0.2  # that a free place is kept where there are many
_FEW: Final = 2  # for each worker: where fewer are left, nobody keeps a free one


class _Places:
    """Of one key. held: places that this worker has. peak: the most of them that ran since it was told.

    again_at: not to ask before; told_at: when the book last said something. left: places nobody has, as it said. spare:
    free ones that are kept. look_at: when it is looked at next. era: of the desk.
    """

    __slots__ = (
        "again_at", "era", "held", "is_asking", "left", "look_at", "peak", "spare", "told_at", "wants_more",
    )  # fmt: skip

    def __init__(self, limit: int, era: int) -> None:
        self.held = self.peak = self.spare = 0
        self.left = float(limit)
        self.again_at = 0.0
        self.look_at = inf
        self.told_at = -inf
        self.is_asking = self.wants_more = False
        self.era = era


class AssignedInFlight(Shared):
    """running: calls that run here; while nobody assigns, no more than its share of them may."""

    def __init__(
        self,
        budget: Budget,
        desk: Desk,
        running: InFlight,
        advancing: MutableSet[Advancing],
        *,
        on_failure: OnFailure = "local_share",
        patience_s: float = 0.0,
        max_queue: int = MOST_IN_LINE,
    ) -> None:
        super().__init__(
            budget, desk, running, advancing, on_failure=on_failure, patience_s=patience_s, max_queue=max_queue
        )
        self._running = running
        self._keys: dict[str, _Places] = {}
        self._due: list[tuple[float, str]] = []

    # What a limit is asked.

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        if self._desk.lost:
            return self.alone.wait_s(key, now, ahead, cost)
        places = self._keys.get(key)
        if places is None:
            return ANSWER_S
        self._refresh(key, places)
        if self._running.count(key) + ahead + cost <= places.held:
            return 0.0
        return REFUSED_S if now < places.again_at else ANSWER_S

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        places = self._keys.get(key) or self._open(key, now)
        self._running.spend(key, now, cost)
        running = self._running.count(key)
        places.peak = max(places.peak, running)
        if self._desk.lost:
            self.alone.decided += 1
            return
        self._refresh(key, places)
        if running > places.held or (running == places.held and places.spare):
            places.wants_more = True
            self._ask(key, places, now)

    def release(self, key: str, now: float) -> None:
        """A call is over."""
        self._running.release(key, now)
        places = self._keys.get(key)
        if places is None:
            return
        if self.line.queues:
            self.line.serve(key, now)
        free = places.held - self._running.count(key)
        if free > places.spare and not self._desk.lost:
            self._give_back_soon(key, places, free, now)

    def _give_back_soon(self, key: str, places: _Places, free: int, now: float) -> None:
        if places.left < 1.0:
            # At the next beat: to a limit that is full callers come sooner than that, here as elsewhere.
            self._look_again(key, places, now)
        elif free <= 2 * places.spare:
            self._look_again(key, places, now + _IDLE_S)
        else:
            self._want(key, places)

    def stand(self, key: str, now: float) -> tuple[float, float]:
        """Places that a call would find: those held and free, and those that nobody has. Nobody knows when one ends."""
        if self._desk.lost:
            return self.alone.counts().left(key, now), 0.0
        places, limit = self._keys.get(key), float(self.budget.limit)
        if places is None:
            return limit, 0.0
        return min(max(places.left + places.held - self._running.count(key), 0.0), limit), 0.0

    # What the desk asks and tells.

    def ask_of(self, key: str, worker: str, budget: int, now: float) -> Ask:
        places = self._held_of(key, now)
        running = self._running.count(key)
        places.held = max(running, min(places.held, places.peak, running + places.spare))
        places.peak = running
        ahead = min(max(running // 4, 1), places.spare) if places.wants_more else 0
        want = self.line.count(key) + ahead
        return Ask(budget=budget, key=digest(key), worker=worker, want=want, held=places.held)

    def granted(self, key: str, grant: Grant, asked_at: float, now: float) -> None:
        places = self._keys.get(key)
        if places is None:
            return
        places.is_asking = places.wants_more = False
        places.held = max(places.held + grant.count, 0)
        places.left, places.told_at = grant.left, now
        places.spare = _spare_of(grant.left, self._desk.workers)
        places.again_at = now + grant.again_s
        self.line.serve(key, now)
        if self.line.count(key):
            if grant.again_s and not self._is_patient:
                self.line.refuse(key, grant.again_s)
            else:
                self._ask(key, places, now)
        running = self._running.count(key)
        if places.held > running + places.spare:
            self._ask(key, places, now)
        self._look_again(key, places, now + min(grant.keep_s, RENEW_S))

    def advance(self, now: float) -> None:
        """Tells what is held, and asks for those who wait."""
        due = self._due
        while due and due[0][0] <= now:
            at, key = heappop(due)
            places = self._keys.get(key)
            if places is None or places.look_at != at:
                continue
            places.look_at = inf
            self._refresh(key, places)
            if self._is_idle(key, places):
                del self._keys[key]
                continue
            if self._desk.lost:
                self._look_again(key, places, now + RENEW_S)
                continue
            if places.is_asking:
                self._look_again(key, places, now + RENEW_S)
            self._want(key, places)
        if not due:
            self._advancing.discard(self)

    # How.

    def _is_idle(self, key: str, places: _Places) -> bool:
        """Nobody need be told of it; while nobody assigns, nobody takes back what it held."""
        holds = places.held > 0 and not self._desk.lost
        return not (holds or places.is_asking or self._running.count(key) or self.line.count(key))

    def _held_of(self, key: str, now: float) -> _Places:
        places = self._keys.get(key) or self._open(key, now)
        self._refresh(key, places)
        return places

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

    def _refresh(self, key: str, places: _Places) -> None:
        """The book was lost: what runs is claimed anew, and all else is given up."""
        if places.era != self._desk.era:
            places.era = self._desk.era
            places.is_asking = False
            places.held, places.again_at = self._running.count(key), 0.0

    def _ask(self, key: str, places: _Places, now: float) -> None:
        if now >= places.again_at:
            self._want(key, places)
        elif not places.is_asking:
            self._look_again(key, places, places.again_at)

    def _expect(self, key: str, now: float) -> None:
        places = self._held_of(key, now)
        if not self._desk.lost:
            self._ask(key, places, now)

    def _verdict(self, ticket: Ticket, now: float) -> float | None:
        places = self._keys.get(ticket.key)
        return SOON_S if self._is_patient and places is not None and places.told_at >= ticket.joined else None


def _spare_of(left: float, workers: int) -> int:
    """How many free places a worker keeps, where so many are left: all of them together keep a small part of it."""
    return int(left) // (_FEW * max(workers, 1))

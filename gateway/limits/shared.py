"""What all limits have in common of which a worker was assigned a part: whom they ask, who waits for the answer, and
what becomes of calls when none comes.

A call waits only where nothing is held and nothing may be borrowed. Nobody is refused before the book has said that
nothing is left: who has waited ANSWER_S goes on waiting while the answer is late, LONGEST_S at the most. Long before,
the supervisor has told that nobody answers, and the policy's `on_store_failure` decides.
"""

from collections.abc import Iterable, MutableSet
from typing import Final, Protocol

from gateway.limits.algorithm import Algorithm
from gateway.limits.alone import Alone, OnFailure
from gateway.limits.desk import Desk
from gateway.limits.line import Advancing, Line, Ticket
from meshway.assignments.messages import Ask, Budget, Grant

ANSWER_S: Final = 0.02
LONGEST_S: Final = 2.0
REFUSED_S: Final = 1.05 * ANSWER_S  # longer than a call without max_wait stands in line
MOST_IN_LINE: Final = 1000
_UNTOLD_S: Final = 1.0  # to come back in, for those whom no answer reached


class Held(Protocol):
    """What a worker has of one key. is_asking: until that is answered."""

    is_asking: bool


class Shared:
    """budget: what is shared. counts: this worker's own count, of its share while nobody assigns (`alone`). late: calls
    that were admitted ahead of an answer. dropped: as of every algorithm."""

    def __init__(
        self,
        budget: Budget,
        desk: Desk,
        counts: Algorithm,
        advancing: MutableSet[Advancing],
        *,
        on_failure: OnFailure = "local_share",
        patience_s: float = 0.0,
        max_queue: int = MOST_IN_LINE,
    ) -> None:
        self.budget = budget
        self.dropped = self.late = 0
        self.alone = Alone(counts, desk, on_failure)
        self._desk = desk
        self._advancing = advancing
        self._on_failure = on_failure
        self._is_patient = patience_s > ANSWER_S
        most = max_queue if patience_s else MOST_IN_LINE
        self.line = Line(
            self, max(patience_s, ANSWER_S), most, advancing,
            on_join=self._expect, at_the_end=self._overdue, is_paced=False,
        )  # fmt: skip

    @property
    def unavailable(self) -> str:
        """Why nothing is admitted, where the policy says so."""
        return self._desk.lost if self._on_failure == "closed" else ""

    @property
    def is_alone(self) -> bool:
        """Nobody assigns."""
        return bool(self._desk.lost)

    # What a limit is asked: what differs is below, in those that inherit.

    def share(self, workers: int) -> None:
        """Nothing to do: the desk knows how many share."""

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        """ANSWER_S: the book must be asked."""
        raise NotImplementedError

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        raise NotImplementedError

    def take(self, key: str, now: float) -> float:
        wait_s = self.wait_s(key, now)
        if wait_s > 0.0:
            return -wait_s
        self.spend(key, now)
        return 0.0

    def left(self, key: str, now: float) -> float:
        return self.stand(key, now)[0]

    def reset_s(self, key: str, now: float) -> float:
        return self.stand(key, now)[1]

    def stand(self, key: str, now: float) -> tuple[float, float]:
        """`left` and `reset_s`, by what the book said last."""
        raise NotImplementedError

    def look(self, key: str, now: float) -> None:
        """Has the book asked how the key stands, for whoever wants to tell it soon; nothing is taken."""
        held = self._held_of(key, now)
        if not self._desk.lost:
            self._want(key, held)

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """Nothing, where what is counted ends with its worker."""
        return []

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        """Nothing, likewise."""

    # What the desk asks and tells.

    def ask_of(self, key: str, worker: str, budget: int, now: float) -> Ask:
        raise NotImplementedError

    def granted(self, key: str, grant: Grant, asked_at: float, now: float) -> None:
        raise NotImplementedError

    def _held_of(self, key: str, now: float) -> Held:
        """As it is now; of a new key it is nothing."""
        raise NotImplementedError

    def _want(self, key: str, held: Held) -> None:
        """Has it asked, once until it is answered."""
        if not held.is_asking:
            held.is_asking = True
            self._desk.want(self, key)

    # Those who wait for an answer.

    def _expect(self, key: str, now: float) -> None:
        """Somebody stands in line for it."""
        raise NotImplementedError

    def _verdict(self, ticket: Ticket, now: float) -> float | None:
        """Of one who has waited his time, while the book is there: 0.0 lets him pass ahead of its answer, more is what
        it has said since he came; None: it has said nothing yet."""
        raise NotImplementedError

    def _overdue(self, ticket: Ticket, now: float) -> float | None:
        """As Line wants it: None has him wait on."""
        key, cost = ticket.key, ticket.cost
        if self._desk.lost:
            wait_s: float | None = self.alone.wait_s(key, now, 0, cost)
            if wait_s == 0.0:
                self.spend(key, now, cost)
            return wait_s
        wait_s = self._verdict(ticket, now)
        if wait_s is None and self._on_failure == "open":
            wait_s = 0.0
        if wait_s == 0.0:
            self.late += 1
            self.spend(key, now, cost)
        elif wait_s is None and now >= ticket.joined + LONGEST_S:
            return _UNTOLD_S
        return wait_s

from collections.abc import Callable

from gateway.limits.desk import Desk
from meshway.assignments.messages import Ask, Budget, Grant
from tests.parts.clock import ManualClock

GRANT = Grant(count=1, left=1.0, reset_s=1.0, again_s=0.0, keep_s=1.0)


class Limit:
    """told: key, count, and how long before it was asked."""

    def __init__(self, name: str) -> None:
        self.budget = Budget(id=name, limit=10, rate=1.0)
        self.told: list[tuple[str, int, float]] = []

    def ask_of(self, key: str, worker: str, budget: int, now: float) -> Ask:
        return Ask(budget=budget, key=key, worker=worker, want=1)

    def granted(self, key: str, grant: Grant, asked_at: float, now: float) -> None:
        self.told.append((key, grant.count, now - asked_at))


class Counter:
    """A desk, and what went over it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.turns: list[Callable[[], None]] = []
        self.sent: list[tuple[int, list[str], list[tuple[int, str]]]] = []
        self.desk = Desk("7", self._send, self.turns.append, self.clock)

    def _send(self, number: int, budgets: list[Budget], asks: list[Ask]) -> None:
        self.sent.append((number, [each.id for each in budgets], [(ask.budget, ask.key) for ask in asks]))

    def end_turn(self) -> None:
        while self.turns:
            self.turns.pop(0)()


def test_what_is_wanted_in_one_turn_goes_out_together_and_each_budget_once() -> None:
    counter, one, two = Counter(), Limit("one"), Limit("two")
    for limit, key in ((one, "a"), (two, "a"), (one, "b")):
        counter.desk.want(limit, key)
    assert counter.sent == []
    counter.end_turn()
    assert counter.sent == [(1, ["one", "two"], [(0, "a"), (1, "a"), (0, "b")])]


def test_answers_go_to_who_asked_with_the_moment_of_the_asking() -> None:
    counter, limit = Counter(), Limit("one")
    counter.desk.want(limit, "a")
    counter.end_turn()
    counter.clock.advance(0.25)
    counter.desk.answered(1, [GRANT], workers=6)
    counter.desk.answered(1, [GRANT], workers=6)
    assert limit.told == [("a", 1, 0.25)]
    assert counter.desk.workers == 6


def test_when_the_store_is_lost_what_was_asked_is_answered_no_more_and_nothing_is_asked() -> None:
    counter, limit = Counter(), Limit("one")
    counter.desk.want(limit, "a")
    counter.end_turn()
    counter.desk.want(limit, "b")
    counter.desk.tell("the registry is away", 0)
    counter.end_turn()
    counter.desk.answered(1, [GRANT], workers=2)
    assert (limit.told, len(counter.sent), counter.desk.era) == ([], 1, 1)
    counter.desk.want(limit, "c")
    counter.end_turn()
    assert len(counter.sent) == 1
    counter.desk.tell("", 2)
    counter.desk.want(limit, "d")
    counter.end_turn()
    assert counter.sent[1:] == [(2, ["one"], [(0, "d")])]

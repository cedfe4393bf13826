"""What the book grants, takes back and forgets, on a clock of the test's own. What it keeps to in sum:
tests/unit/gateway/limits/test_assigned.py."""

import pytest

from meshway.assignments.ledger import MARGIN_S, PLENTY_S, SCARCE_S, Ledger
from meshway.assignments.messages import Ask, Budget, Grant

BUCKET = Budget(id="b", limit=100, rate=10.0)
WINDOW = Budget(id="w", kind="window", limit=10, rate=1.0, window_s=10.0, segments=10)


class Book:
    """One ledger, asked by workers that lend nothing (`workers` 0) unless told."""

    def __init__(self, budget: Budget = BUCKET, workers: int = 0) -> None:
        self.ledger = Ledger()
        self.budget = budget
        self.workers = workers

    def ask(self, at: float, want: int, by: str = "a", **fields: int) -> Grant:
        ask = Ask(budget=0, key="k", worker=by, want=want, **fields)
        return self.ledger.assign(self.budget, ask, by, self.workers, at)


def test_one_who_asks_alone_gets_what_he_wants_but_never_more_than_half_at_once() -> None:
    book = Book()
    first = book.ask(0.0, 8)
    assert (first.count, first.left, first.again_s, first.keep_s) == (8, 92.0, 0.0, PLENTY_S)
    assert book.ask(0.0, 1000, held=8).count == 46


def test_who_else_asks_gets_his_part_of_what_is_left() -> None:
    book = Book()
    assert book.ask(0.0, 40).count == 40
    assert book.ask(0.0, 1000, by="b").count == 15


def test_what_is_held_is_not_filled_up_again_and_what_is_spent_is() -> None:
    book = Book()
    book.ask(0.0, 50)
    assert book.ask(4.0, 0, held=50).left == 50.0
    assert book.ask(4.0, 0, held=0).left == 50.0
    assert book.ask(6.0, 0).left == pytest.approx(70.0)


def test_what_is_given_back_is_there_again_once() -> None:
    book = Book()
    book.ask(0.0, 50)
    assert book.ask(0.1, 0, held=10, back=20).left == 70.0
    assert book.ask(0.1, 0, held=10, back=20).left == 70.0, "it held no more than ten beside"
    assert book.ask(0.1, 0, by="stranger", back=20).left == 70.0


def test_what_a_dead_worker_held_counts_as_spent_after_its_time() -> None:
    book = Book()
    book.ask(0.0, 50)
    end = PLENTY_S + MARGIN_S
    assert book.ask(end - 0.1, 0, by="b").left == 50.0
    assert book.ask(end + 1.0, 0, by="b").left == pytest.approx(60.0), "filled up from its end on, not from before"
    assert book.ask(end + 1.0, 0, held=50, back=50).left == pytest.approx(60.0), "it is back too late to hold anything"


def test_an_empty_bucket_says_when_to_ask_again_and_when_all_is_there() -> None:
    book = Book(Budget(id="b", limit=4, rate=2.0))
    assert [book.ask(0.0, 9).count for _ in range(4)] == [2, 1, 1, 0]
    empty = book.ask(0.1, 1)
    assert [empty.count, empty.left] == pytest.approx([0, 0.2])
    assert empty.again_s == pytest.approx(0.5, abs=0.11)
    assert empty.reset_s == pytest.approx(1.9)
    assert empty.keep_s == SCARCE_S
    assert book.ask(0.1 + empty.again_s, 1).count == 1


def test_what_workers_may_borrow_is_kept_back() -> None:
    assert Book(workers=5).ask(0.0, 0).left == 75.0
    assert Book(workers=30).ask(0.0, 0).left == 100.0, "too many to lend anything"


def test_more_workers_than_before_lessen_what_is_there_at_once() -> None:
    book = Book(workers=1)
    assert book.ask(0.0, 0).left == 75.0
    book.workers = 24
    assert book.ask(0.0, 0).left == 75.0
    book.workers = 12
    assert book.ask(0.0, 0).left == 75.0


def test_a_window_counts_what_is_granted_until_its_segment_has_left() -> None:
    book = Book(WINDOW)
    first = book.ask(3.25, 5)
    assert [first.count, first.left, first.mark, first.keep_s] == pytest.approx([5, 5.0, 3, 0.75])
    while book.ask(4.0, 5).count:
        pass
    full = book.ask(4.0, 5)
    assert [full.left, full.reset_s, full.again_s] == pytest.approx([0.0, 11.0, 1.0])
    assert book.ask(13.99, 5).count == 0
    assert book.ask(14.0, 0).left == 5.0
    assert book.ask(15.0, 0).left == 10.0


def test_what_is_given_back_to_a_window_goes_to_its_own_segment() -> None:
    book = Book(WINDOW)
    book.ask(3.2, 5)
    book.ask(4.2, 2)
    assert book.ask(4.3, 0, back=4, mark=3).left == 7.0
    assert book.ask(4.3, 0, back=4, mark=3).left == 8.0, "that segment has no more"
    assert book.ask(4.3, 0, back=4, mark=2).left == 8.0


def test_keys_and_budgets_are_counted_apart() -> None:
    ledger = Ledger()

    def left(budget: str, key: str) -> float:
        ask = Ask(budget=0, key=key, worker="a", want=10)
        return ledger.assign(Budget(id=budget, limit=100, rate=1.0), ask, "a", 0, 0.0).left

    assert [left("b", "k"), left("b", "k"), left("b", "other"), left("c", "k")] == [90.0, 80.0, 90.0, 90.0]


def test_keys_that_are_whole_again_are_forgotten_and_beyond_the_most_the_oldest_too() -> None:
    ledger = Ledger(most=10)

    def ask(key: str, at: float) -> Grant:
        return ledger.assign(BUCKET, Ask(budget=0, key=key, worker="a", want=1), "a", 0, at)

    for number in range(15):
        ask(f"k{number}", 0.0)
    assert (len(ledger), ledger.forgotten) == (10, 5)
    for number in range(4):
        ask(f"later{number}", 60.0)
    assert (len(ledger), ledger.forgotten) == (6, 5)

import pytest

from gateway.feed.held import Held
from gateway.feed.removal_guard import KEPT_S, RemovalGuard
from gateway.feed.state import Changes, Whole
from meshway.snapshot import Change
from tests.parts.changes import document, left, running
from tests.parts.clock import ManualClock


class Host:
    """A guard beside what is held, as in the supervisor."""

    def __init__(self, *entries: Change) -> None:
        self.clock = ManualClock()
        self.guard = RemovalGuard(self.clock)
        self.held = Held()
        self.told: list[Change] = []
        self.whole(*entries)

    def whole(self, *entries: Change) -> None:
        self._take(Whole("e1", self.held.revision + 1, {entry.key: entry for entry in entries}))

    def change(self, *changes: Change) -> None:
        self._take(Changes(self.held.revision + 1, list(changes)))

    def _take(self, outcome: Whole | Changes) -> None:
        self.told += self.guard.take(outcome, self.held.entries)
        self.held.take(outcome)

    @property
    def kept(self) -> list[str]:
        """As a worker that was told everything has it."""
        kept: dict[object, str] = {}
        for change in self.told:
            if change.op == "put":
                kept[change.key] = change.name
            else:
                del kept[change.key]
        assert list(kept) == list(self.guard.kept)
        return [name.rpartition("/")[2] for name in kept.values()]


def ten() -> list[Change]:
    return [running("books", str(number)) for number in range(10)]


def critical(number: int) -> Change:
    return running("books", str(number), status="critical")


def test_more_than_half_that_expire_within_ten_seconds_are_kept_for_thirty() -> None:
    host = Host(*ten())
    for number in range(5):
        host.change(critical(number))
        host.clock.now_s += 1.0
    assert (host.kept, host.guard.trips) == ([], 0), "half is not more than half"
    host.change(critical(5))
    assert (host.kept, host.guard.trips) == (list("012345"), 1)
    host.clock.now_s += KEPT_S - 1.0
    host.change(critical(6))
    assert host.kept == list("0123456"), "what vanishes meanwhile is kept as well"
    assert host.guard.end() == []
    host.clock.now_s += 1.0
    host.told += host.guard.end()
    assert (host.kept, host.guard.trips) == ([], 1)


def test_who_vanishes_over_a_longer_time_is_gone() -> None:
    host = Host(*ten())
    for number in range(10):
        host.change(critical(number))
        host.clock.now_s += 3.0
        assert host.kept == [] or number > 5, "four of ten, then of what is left, in ten seconds"
    assert host.guard.trips == 1


@pytest.mark.parametrize("fate", ["deregistered", "draining", "maintenance"])
def test_who_left_on_purpose_is_not_kept(fate: str) -> None:
    host = Host(*ten())
    for number in range(8):
        host.change(
            left("books", str(number)) if fate == "deregistered" else running("books", str(number), status=fate)
        )
    assert host.kept == []


def test_a_few_may_vanish_unguarded() -> None:
    host = Host(*ten()[:3])
    host.change(*(critical(number) for number in range(3)))
    assert host.kept == []


def test_an_empty_catalogue_after_a_fault_takes_nobody_away() -> None:
    host = Host(*ten(), document("Route", "r", {}))
    host.whole()
    assert host.kept == list("0123456789")
    assert host.held.entries == {}


def test_a_snapshot_that_lacks_most_and_has_the_rest_critical_is_a_fault_too() -> None:
    host = Host(*ten())
    host.whole(critical(0), running("books", "1"), running("books", "2", weight=3))
    assert host.kept == ["0", *"3456789"]


def test_whoever_comes_back_or_leaves_on_purpose_is_kept_no_longer() -> None:
    host = Host(*ten())
    host.whole()
    host.change(running("books", "0"), running("books", "1", generation=2))
    host.change(critical(2))
    host.change(left("books", "2"), running("books", "3", status="draining"))
    assert host.kept == list("456789")
    host.whole(*ten()[:6])
    assert host.kept == list("6789")
    host.clock.now_s += KEPT_S
    host.told += host.guard.end()
    assert host.kept == []
    host.clock.now_s += KEPT_S
    host.change(*(critical(number) for number in range(4)))
    assert (host.kept, host.guard.trips) == (list("0123"), 2), "it watches on"


def test_documents_and_instances_that_never_passed_do_not_count() -> None:
    host = Host(*ten()[:4], *(critical(number) for number in range(4, 10)))
    host.change(*(critical(number) for number in range(3)))
    assert host.kept == [], "three are few"
    host.change(left("books", "9"), critical(3))
    assert host.kept == list("0123")

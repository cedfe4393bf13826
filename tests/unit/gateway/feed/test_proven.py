from gateway.feed.held import Held
from gateway.feed.proven import Proven
from gateway.feed.state import Changes, Whole
from meshway.snapshot import Change
from tests.parts.changes import document, gone, running


class Host:
    def __init__(self, *entries: Change) -> None:
        self.proven, self.held = Proven(), Held()
        self.take(Whole("e1", 1, {entry.key: entry for entry in entries}))

    def take(self, outcome: Whole | Changes) -> None:
        self.proven.take(outcome, self.held.entries)
        self.held.take(outcome)

    def settle(self, *refused: Change) -> None:
        self.proven.settle(self.held.revision, [change.key for change in refused])

    def change(self, *changes: Change) -> None:
        self.take(Changes(self.held.revision + 1, list(changes)))


def route(version: int, name: str = "r") -> Change:
    return document("Route", name, {"version": version})


def test_the_version_before_the_first_refused_one_is_the_good_one() -> None:
    host = Host(running("books", "1"), route(1))
    host.settle()
    host.change(route(2), route(1, "other"), running("books", "2"))
    host.change(route(3))
    host.settle(route(3))
    assert host.proven.changes() == [route(1)]
    host.change(route(4))
    host.settle(route(4))
    assert host.proven.changes() == [route(1)]
    host.change(route(5))
    host.settle()
    assert host.proven.changes() == []
    host.change(route(6))
    assert host.proven.changes() == [route(5)], "until a worker has taken it"


def test_versions_that_come_faster_than_workers_compile_are_proved_one_by_one() -> None:
    host = Host(running("books", "1"))
    host.change(route(1))
    host.change(route(2))
    host.change(route(3))
    host.proven.settle(2, [])
    host.proven.settle(3, [route(2).key])
    assert host.proven.changes() == [route(1)]
    host.proven.settle(3, [])  # what it lacked has come
    assert host.proven.changes() == [route(2)]
    host.proven.settle(4, [route(3).key])
    assert host.proven.changes() == [route(2)]


def test_a_document_without_an_earlier_version_is_named_as_none() -> None:
    host = Host(running("books", "1"))
    host.change(route(1))
    host.settle(route(1))
    assert host.proven.changes() == [gone("Route", "r")]
    host.change(gone("Route", "r"))
    assert host.proven.changes() == []


def test_at_a_first_start_nothing_has_proved_itself() -> None:
    host = Host(route(1))
    host.settle(route(1))
    assert host.proven.changes() == []


def test_a_version_that_never_compiled_is_not_the_good_one_of_those_after_it() -> None:
    host = Host(route(1))
    host.settle(route(1))
    host.change(route(2))
    assert host.proven.changes() == [], "nobody knows what to do without it"
    host.settle(route(2))
    assert host.proven.changes() == []
    host.change(route(3))
    host.settle()
    host.change(route(4))
    host.settle(route(4))
    assert host.proven.changes() == [route(3)]


def test_a_worker_that_lags_does_not_take_back_what_another_has_refused() -> None:
    host = Host(route(1))
    host.settle()
    host.change(running("books", "1"))
    host.change(route(2))
    host.proven.settle(3, [route(2).key])
    host.proven.settle(2, [])  # by one that has not met it yet
    assert host.proven.changes() == [route(1)]
    host.proven.settle(3, [route(2).key])
    assert host.proven.changes() == [route(1)]


def test_a_snapshot_is_compared_with_what_was_held() -> None:
    host = Host(route(1), route(1, "same"), route(1, "left"))
    host.settle()
    host.change(route(2, "left"), route(2, "busy"))
    entries = [route(2), route(1, "same"), route(1, "new")]
    host.take(Whole("e2", 1, {entry.key: entry for entry in entries}))
    assert host.proven.changes() == [gone("Route", "new"), route(1)]
    host.settle(route(2))
    assert host.proven.changes() == [route(1)]

"""No more connections than the most, busy and idle, over all workers."""

from pathlib import Path

from gateway.host_table import HostTable
from gateway.upstream.connection_limit import ConnectionLimit
from gateway.upstream.endpoint import Endpoint
from tests.parts.endpoints import endpoints
from tests.parts.playbook import FakeUpstream


class Worker:
    """Its endpoints a and b, and what it does with connections to them as an attempt does."""

    def __init__(self, most: int, workers: int = 1, table: HostTable | None = None) -> None:
        self.places = endpoints(1, 1)
        row = table.row("default/books connections") if table is not None else -1
        self.limit = ConnectionLimit(lambda: self.places, table, row)
        self.limit.configure(most, workers)

    def begin(self, place: Endpoint) -> None:
        place.in_flight += 1
        if place.idle:
            place.idle.pop()
        else:
            self.limit.make_room()

    def end(self, place: Endpoint) -> None:
        place.in_flight -= 1
        place.idle.append(FakeUpstream(place))
        self.limit.settle()

    @property
    def open(self) -> int:
        return sum(place.in_flight + len(place.idle) for place in self.places)


def test_busy_ones_fill_it_and_idle_ones_make_room() -> None:
    worker = Worker(most=2)
    a, b = worker.places
    worker.begin(a)
    worker.begin(a)
    assert not worker.limit.has_room(2)
    worker.end(a)
    worker.end(a)
    assert worker.limit.has_room(0)
    oldest, other = a.idle
    worker.begin(b)
    assert worker.open == 2
    assert oldest.is_closed  # type: ignore[attr-defined]
    assert not other.is_closed  # type: ignore[attr-defined]


def test_a_call_that_was_let_in_counts_before_its_connection_is_there() -> None:
    worker = Worker(most=2)
    assert worker.limit.has_room(1)
    assert not worker.limit.has_room(2)


def test_workers_see_each_others_and_give_back_what_is_above_their_share(tmp_path: Path) -> None:
    with HostTable.create(tmp_path / "table", 2) as one, HostTable(tmp_path / "table", 1) as two:
        first, second = Worker(4, 2, one), Worker(4, 2, two)
        for _ in range(4):
            assert first.limit.has_room(first.places[0].in_flight)
            first.begin(first.places[0])
        assert not second.limit.has_room(0)
        for _ in range(4):
            first.end(first.places[0])
        assert first.open == 2, "its share may lie idle"
        assert second.limit.has_room(1)
        assert not second.limit.has_room(2)


def test_idle_ones_that_closed_by_themselves_are_told_and_all_of_them_when_the_limit_is_gone(tmp_path: Path) -> None:
    with HostTable.create(tmp_path / "table", 2) as one, HostTable(tmp_path / "table", 1) as two:
        first, second = Worker(2, 2, one), Worker(2, 2, two)
        first.begin(first.places[0])
        first.begin(first.places[0])
        first.places[0].in_flight = 0
        assert not second.limit.has_room(0)
        assert first.limit.tell() == 0
        assert second.limit.has_room(1)
        first.begin(first.places[0])
        assert not second.limit.has_room(1)
        first.limit.dissolve()
        assert second.limit.has_room(1)


def test_without_a_table_a_worker_keeps_to_its_share() -> None:
    worker = Worker(most=5, workers=2)
    assert worker.limit.has_room(1)
    assert not worker.limit.has_room(2)

import pytest

from gateway.upstream.cluster_settings import OpeningSettings
from tests.parts.one_route import endpoint
from tests.parts.playbook import FakeUpstream, Opening, Playbook


class Waiter:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_connected(self, upstream: object) -> None:
        self.heard.append(upstream)

    def on_connect_failed(self, detail: str) -> None:
        self.heard.append(detail)


@pytest.fixture
def book() -> Playbook:
    return Playbook()


def _opening(book: Playbook) -> Opening:
    return book.openings[-1]


def test_the_connection_used_last_is_taken_first() -> None:
    book = Playbook(endpoints=(endpoint(1),))
    place = book.endpoints[0]
    older, newer = FakeUpstream(place), FakeUpstream(place)
    book.pool.give(older, 4.0, 0, book.clock())
    book.pool.give(newer, 4.0, 0, book.clock())
    for expected in (newer, older):
        book.request()
        assert book.openings == []
        assert expected.told == [("request", b"", "ended")]


def test_a_connection_is_closed_when_it_was_idle_long_enough(book: Playbook) -> None:
    upstream = FakeUpstream(book.endpoints[0])
    book.pool.give(upstream, 4.0, 0, book.clock())
    book.pass_time(3.9)
    assert book.endpoints[0].idle == [upstream]
    book.pass_time(0.2)
    assert upstream.is_closed
    assert book.endpoints[0].idle == []


@pytest.mark.parametrize(("hint_s", "kept_s"), [(3.0, 2.0), (60.0, 4.0), (1.0, 0.0), (None, 4.0)])
def test_the_services_own_idle_time_shortens_ours_by_a_margin(
    book: Playbook, hint_s: float | None, kept_s: float
) -> None:
    upstream = FakeUpstream(book.endpoints[0])
    upstream.keep_alive_timeout_s = hint_s
    book.pool.give(upstream, 4.0, 0, book.clock())
    if kept_s:
        book.pass_time(kept_s - 0.1)
        assert book.endpoints[0].idle == [upstream]
        book.pass_time(0.2)
    assert upstream.is_closed


def test_what_cannot_be_used_again_is_closed(book: Playbook) -> None:
    broken, worn = FakeUpstream(book.endpoints[0]), FakeUpstream(book.endpoints[0])
    broken.can_be_reused = False
    worn.requests = 100
    for upstream in (broken, worn):
        book.pool.give(upstream, 4.0, 100, book.clock())
        assert upstream.is_closed
    assert book.endpoints[0].idle == []


def test_a_connection_that_does_not_come_about_in_time_is_given_up_and_told_once(book: Playbook) -> None:
    waiter = Waiter()
    book.pool.connect(endpoint(1), waiter, 1.0)
    book.pass_time(1.1)
    assert _opening(book).is_abandoned
    assert waiter.heard == ["no connection within the connect timeout"]
    late = FakeUpstream(endpoint(1))
    _opening(book).on_connected(late)
    assert late.is_closed
    assert len(waiter.heard) == 1


def test_a_cancelled_waiter_hears_nothing(book: Playbook) -> None:
    waiter = Waiter()
    book.pool.connect(endpoint(1), waiter, 1.0).cancel()
    assert _opening(book).is_abandoned
    _opening(book).on_failed("refused")
    book.pass_time(2.0)
    assert waiter.heard == []


def connected(book: Playbook, opening: OpeningSettings, preamble: bytes = b"") -> FakeUpstream:
    """A connection as the pool opened it."""
    waiter = Waiter()
    place = book.endpoints[0]
    book.pool.connect(place, waiter, 1.0, opening, preamble)
    upstream = FakeUpstream(place)
    _opening(book).on_connected(upstream)
    assert waiter.heard == [upstream]
    return upstream


def test_a_connection_is_closed_at_its_age_idle_or_not(book: Playbook) -> None:
    idle, busy = (connected(book, OpeningSettings(max_age_s=10.0)) for _ in range(2))
    book.pool.give(idle, 60.0, 0, book.clock())
    book.pass_time(9.8)
    assert book.endpoints[0].idle == [idle]
    book.pass_time(0.4)
    assert (book.endpoints[0].idle, idle.is_closed) == ([], True)
    book.pool.give(busy, 60.0, 0, book.clock())
    assert busy.is_closed


def test_a_connection_on_which_a_caller_was_named_is_nobody_elses(book: Playbook) -> None:
    upstream = connected(book, OpeningSettings(proxy_protocol=1), b"PROXY UNKNOWN\r\n")
    assert _opening(book).preamble == b"PROXY UNKNOWN\r\n"
    book.pool.give(upstream, 60.0, 0, book.clock())
    assert upstream.is_closed


def test_what_was_busy_as_an_endpoint_was_closed_is_taken_by_nobody(book: Playbook) -> None:
    busy, place = connected(book, OpeningSettings()), book.endpoints[0]
    book.pool.close_idle(place)
    book.pool.give(busy, 4.0, 0, book.clock())
    assert place.idle == []
    book.pass_time(4.2)
    assert busy.is_closed


def test_closing_an_endpoints_connections_leaves_none_to_be_taken(book: Playbook) -> None:
    place = book.endpoints[0]
    kept = [FakeUpstream(place) for _ in range(3)]
    for upstream in kept:
        book.pool.give(upstream, 4.0, 0, book.clock())
    book.pool.close_idle(place)
    assert all(upstream.is_closed for upstream in kept)
    assert place.idle == []

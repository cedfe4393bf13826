"""Connections that many calls share: which one a call gets, and when another one is opened."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.exchange import NEVER
from gateway.relay.deadline import TimerWheel
from gateway.upstream.cluster_settings import PLAIN, BulkheadSettings, OpeningSettings
from gateway.upstream.connection_limit import ConnectionLimit
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.shared_pool import SharedPool
from gateway.wire.interfaces import SharedUpstream, Timer
from tests.parts.clock import ManualClock
from tests.parts.endpoints import endpoints
from tests.parts.one_route import cluster


class FakeShared:
    """A connection without a wire."""

    def __init__(self, most_streams: int) -> None:
        self.timer = Timer()
        self.closes_at = NEVER
        self.requests = self.heard = self.running = 0
        self.most_streams = most_streams
        self.is_retired = False

    def can_begin(self) -> bool:
        return not self.is_retired

    def retire(self) -> None:
        self.is_retired = True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asks a pool for {name}")


class Bench:
    """allows: requests at once that the other side wants."""

    def __init__(self, allows: int = 1_000) -> None:
        clock = ManualClock()
        self.opened: list[FakeShared] = []
        self._connected: list[Callable[[SharedUpstream], None]] = []
        self._allows = allows
        self.pool = SharedPool(self._connect, TimerWheel(clock()), clock)

    def _connect(
        self,
        endpoint: Endpoint,
        on_connected: Callable[[SharedUpstream], None],
        on_failed: Callable[[str], None],
        opening: OpeningSettings,
    ) -> Callable[[], None]:
        self._connected.append(on_connected)
        return lambda: None

    def connect(self) -> None:
        """All that are waited for come about."""
        waiting, self._connected = self._connected, []
        for on_connected in waiting:
            made = FakeShared(self._allows)
            self.opened.append(made)
            on_connected(made)

    def call(self, endpoint: Endpoint, most: int = 3) -> None:
        def begin(shared: SharedUpstream) -> None:
            assert isinstance(shared, FakeShared)
            shared.running += 1

        self.pool.join(endpoint, begin, pytest.fail, 1.0, PLAIN, 0, most)

    @property
    def running(self) -> list[int]:
        return [shared.running for shared in self.opened]


def test_calls_fill_one_connection_before_another_is_opened() -> None:
    bench = Bench()
    (endpoint,) = endpoints(1)
    for _ in range(4):  # while none is open yet
        bench.call(endpoint)
    bench.connect()
    assert bench.running == [3, 1]
    bench.opened[0].running = 1
    for _ in range(5):
        bench.call(endpoint)
    bench.connect()
    assert bench.running == [3, 3, 1]


def test_thousands_at_once_fail_nobody() -> None:
    bench = Bench()
    (endpoint,) = endpoints(1)
    for _ in range(2_500):
        bench.call(endpoint, 100)
    bench.connect()
    assert bench.running == [100] * 25


def test_the_other_side_may_want_fewer() -> None:
    bench = Bench(allows=2)
    (endpoint,) = endpoints(1)
    for _ in range(3):
        bench.call(endpoint, 100)
        bench.connect()
    assert bench.running == [2, 1]


def bounded(places: tuple[Endpoint, ...], most: int) -> ConnectionLimit:
    """Their cluster's limit."""
    settings = BulkheadSettings(max_requests=0, max_pending=0, pending_timeout_s=0.0, max_connections=most)
    limited = cluster(*places, now=ManualClock(), bulkhead=settings)
    for place in places:
        place.clusters = (limited,)
    limit = limited.connections
    assert limit is not None
    limit.max_streams = 2
    return limit


def test_where_connections_are_bounded_the_least_busy_one_has_more_calls() -> None:
    bench = Bench()
    places = endpoints(1, 1)
    limit = bounded(places, most=2)
    for _ in range(5):
        bench.call(places[0], 2)
        bench.connect()
    assert bench.running == [3, 2]
    assert limit.has_room(3)
    assert not limit.has_room(4)
    assert limit.tell() == 2


def test_an_idle_connection_gives_way_to_one_of_another_instance_and_each_that_is_called_has_one() -> None:
    bench = Bench()
    places = endpoints(1, 1, 1)
    bounded(places, most=2)
    for place in places[:2]:
        bench.call(place, 2)
        bench.connect()
    bench.opened[0].running = 0
    bench.call(places[2], 2)
    bench.connect()
    assert [shared.is_retired for shared in bench.opened] == [True, False, False]
    bench.call(places[0], 2)
    bench.connect()
    assert bench.running == [0, 1, 1, 1]


def test_whoever_is_retired_serves_nobody_new() -> None:
    bench = Bench()
    (endpoint,) = endpoints(1)
    bench.call(endpoint)
    bench.connect()
    bench.pool.retire(endpoint)
    assert endpoint.shared == []
    bench.call(endpoint)
    bench.connect()
    assert bench.running == [1, 1]


def test_one_that_is_open_and_has_room_is_given_without_waiting_and_no_other() -> None:
    bench = Bench()
    (endpoint,) = endpoints(1)

    def given(opening: OpeningSettings = PLAIN, max_requests: int = 0, now: float = 0.0) -> object:
        return bench.pool.open_one(endpoint, opening, max_requests, 3, now)

    assert given() is None
    bench.call(endpoint)
    assert given() is None  # it is not open yet
    bench.connect()
    (only,) = bench.opened
    assert given() is only
    only.requests = 5
    assert (given(max_requests=6), given(max_requests=5)) == (only, None)
    assert (given(OpeningSettings()), given(OpeningSettings(proxy_protocol=1))) == (only, None)
    only.closes_at = 7.0
    assert (given(now=6.9), given(now=7.0)) == (only, None)
    only.running = 3
    assert given() is None

"""Connections on which many requests run beside each other, few an endpoint and worker: another one is opened when all
have as many requests as they may.

One that is leaving, too old, or opened otherwise than is asked for now gives way to a new one, and ends with what runs
on it. How a connection is opened is given from outside: this layer knows no wire.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.exchange import NEVER
from gateway.upstream.cluster_settings import OpeningSettings
from gateway.wire.interfaces import SharedUpstream, Timer

if TYPE_CHECKING:
    from gateway.relay.deadline import TimerWheel
    from gateway.upstream.endpoint import Endpoint
    from gateway.wire.interfaces import AnySharedUpstream

MOST_STREAMS: Final = 100  # on one connection, where no policy says otherwise
# As a `Connector` (pool.py).
SharedConnector = Callable[
    ["Endpoint", Callable[[SharedUpstream], None], Callable[[str], None], OpeningSettings], Callable[[], None]
]


class Joining:
    """Somebody who waits for a connection. Exactly one of the two is called, unless he leaves."""

    __slots__ = ("_connection", "on_connected", "on_failed")

    def __init__(
        self,
        connection: "SharedConnection",
        on_connected: Callable[[SharedUpstream], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self.on_connected = on_connected
        self.on_failed = on_failed

    def leave(self) -> None:
        self._connection.waiting.pop(self, None)


class SharedConnection:
    """An endpoint's, while it is opened and then. waiting: in order. upstream: None = not open yet."""

    __slots__ = ("_abandon", "_endpoint", "_pool", "_timer", "opening", "upstream", "waiting")

    def __init__(self, pool: "SharedPool", endpoint: "Endpoint", opening: OpeningSettings) -> None:
        self._pool, self._endpoint = pool, endpoint
        self.opening = opening
        self.upstream: AnySharedUpstream | None = None
        self.waiting: dict[Joining, None] = {}
        self._timer = Timer()
        self._abandon: Callable[[], None] | None = None

    def open(self, timeout_s: float) -> None:
        pool = self._pool
        pool.wheel.set(self._timer, self, pool.now() + timeout_s)
        self._abandon = pool.connector(self._endpoint, self._connected, self._failed, self.opening)

    def is_usable(self, opening: OpeningSettings, now: float, max_requests: int) -> bool:
        """For one request more; while it is being opened nobody knows better. max_requests: 0 = any number."""
        if self.opening is not opening and self.opening != opening:
            return False
        upstream = self.upstream
        if upstream is None:
            return True
        is_worn = bool(max_requests) and upstream.requests >= max_requests
        return not is_worn and now < upstream.closes_at and upstream.can_begin()

    @property
    def running(self) -> int:
        """Also those that wait for it to be open."""
        return len(self.waiting) if self.upstream is None else self.upstream.running

    def has_room(self, most: int) -> bool:
        """most: requests at once; the other side may want less."""
        return self.running < (most if self.upstream is None else min(most, self.upstream.most_streams))

    def retire(self) -> None:
        """Whoever waits for it is still served."""
        if self in self._endpoint.shared:
            self._endpoint.shared.remove(self)
        if self.upstream is not None:
            self.upstream.retire()

    def on_timer(self, now: float) -> None:
        if self._abandon is not None:
            self._abandon()
        self._failed("no connection within the connect timeout")

    def _connected(self, upstream: SharedUpstream) -> None:
        self._timer.due = NEVER
        self.upstream = upstream
        upstream.closes_at = self._pool.now() + self.opening.max_age_s
        waiting, self.waiting = self.waiting, {}
        for joining in waiting:
            joining.on_connected(upstream)
        if self not in self._endpoint.shared:
            upstream.retire()

    def _failed(self, detail: str) -> None:
        self._timer.due = NEVER
        if self in self._endpoint.shared:
            self._endpoint.shared.remove(self)
        waiting, self.waiting = self.waiting, {}
        for joining in waiting:
            joining.on_failed(detail)


class SharedPool:
    """One a worker. now: monotonic seconds."""

    __slots__ = ("connector", "now", "wheel")

    def __init__(self, connector: SharedConnector, wheel: "TimerWheel", now: Callable[[], float]) -> None:
        self.connector = connector
        self.wheel = wheel
        self.now = now

    def join(
        self,
        endpoint: "Endpoint",
        on_connected: Callable[[SharedUpstream], None],
        on_failed: Callable[[str], None],
        timeout_s: float,
        opening: OpeningSettings,
        max_requests: int,
        max_streams: int = MOST_STREAMS,
        most: int = 0,
    ) -> Joining | None:
        """Calls one of the two, at once or later. timeout_s: of a connection that must be opened. max_streams: requests
        at once on a connection, above which another one is opened where its cluster may have more; where it may not,
        one has more, which wait on it for as long as the other side wants. most: requests to this endpoint, above which
        it fails at once, 0 = any number. None: at once."""
        if most and sum([shared.running for shared in endpoint.shared]) >= most:
            on_failed(f"{most} questions are on the way to it already")
            return None
        now, least = self.now(), None
        for shared in tuple(endpoint.shared):
            if not shared.is_usable(opening, now, max_requests):
                shared.retire()
            elif shared.has_room(max_streams):
                return _take(shared, on_connected, on_failed)
            elif least is None or shared.running < least.running:
                least = shared
        may_open = _may_open(endpoint)
        if least is not None and not may_open:
            return _take(least, on_connected, on_failed)
        shared = SharedConnection(self, endpoint, opening)
        endpoint.shared.append(shared)
        joining = Joining(shared, on_connected, on_failed)
        shared.waiting[joining] = None
        shared.open(timeout_s)
        return joining

    def open_one(
        self, endpoint: "Endpoint", opening: OpeningSettings, max_requests: int, max_streams: int, now: float
    ) -> "AnySharedUpstream | None":
        """As `join`, where the first connection is open, as it is wanted, and has room, as mostly; None: `join` knows
        more."""
        for shared in endpoint.shared:
            if not shared.is_usable(opening, now, max_requests):
                return None
            if shared.upstream is not None and shared.has_room(max_streams):
                return shared.upstream
        return None

    def rest(self, upstream: "AnySharedUpstream", idle_timeout_s: float) -> None:
        """After a request: where it was the last one, the connection is kept for so long."""
        if not upstream.running:
            self.wheel.set(upstream.timer, upstream, min(self.now() + idle_timeout_s, upstream.closes_at))

    def retire(self, endpoint: "Endpoint") -> None:
        """When an endpoint is gone, was registered anew, or is to be connected to otherwise."""
        for shared in tuple(endpoint.shared):
            shared.retire()


def _take(
    shared: SharedConnection, on_connected: Callable[[SharedUpstream], None], on_failed: Callable[[str], None]
) -> Joining | None:
    if shared.upstream is not None:
        on_connected(shared.upstream)
        return None
    joining = Joining(shared, on_connected, on_failed)
    shared.waiting[joining] = None
    return joining


def _may_open(endpoint: "Endpoint") -> bool:
    """Whether no policy bounds its clusters' connections, or one more fits."""
    return all(cluster.connections is None or cluster.connections.may_open() for cluster in endpoint.clusters)

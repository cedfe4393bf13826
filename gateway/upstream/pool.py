"""Kept connections to the endpoints, the freshest first, and the opening of new ones.

Last in, first out: the connections that a burst opened grow old at the bottom and are closed by their idle time. The
idle ones lie on the endpoint itself, and an attempt takes the last of `Endpoint.idle`. How a connection is opened is
given from outside: this layer knows no wire.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from gateway.exchange import NEVER
from gateway.upstream.cluster_settings import PLAIN, OpeningSettings
from gateway.wire.interfaces import Timer, Upstream

if TYPE_CHECKING:
    from gateway.relay.deadline import TimerWheel
    from gateway.upstream.endpoint import Endpoint
    from gateway.wire.interfaces import AnyUpstream

# Begins to connect and returns how to give it up; then exactly one of the two is called, unless it was given up. Told
# are how it is opened and what is said on it before anything else.
Connector = Callable[
    ["Endpoint", Callable[[Upstream], None], Callable[[str], None], OpeningSettings, bytes], Callable[[], None]
]

# The upstream says how long it keeps an idle connection; we let go this much earlier, so that we never write into
# a connection that it is closing.
KEEP_ALIVE_MARGIN_S: Final = 1.0


# A request on an open connection that many share, or None: whoever wants one has to wait. Told is the time, too.
Beside = Callable[["Endpoint", OpeningSettings, float], Upstream | None]


class Waiter(Protocol):
    """Who waits for a connection."""

    def on_connected(self, upstream: Upstream) -> None: ...

    def on_connect_failed(self, detail: str) -> None: ...


class Connecting:
    """A connection that is being opened for somebody."""

    __slots__ = ("_abandon", "_endpoint", "_is_over", "_opening", "_pool", "_preamble", "_shelf", "_timer", "_waiter")

    def __init__(
        self, pool: "Pool", endpoint: "Endpoint", waiter: Waiter, opening: OpeningSettings, preamble: bytes
    ) -> None:
        self._pool = pool
        self._endpoint = endpoint
        self._waiter = waiter
        self._opening = opening
        self._preamble = preamble
        self._shelf = endpoint.idle
        self._timer: Timer | None = None  # who is connected at once needs none
        self._is_over = False
        self._abandon: Callable[[], None] | None = None

    def start(self, timeout_s: float) -> None:
        pool = self._pool
        abandon = pool.connector(self._endpoint, self._connected, self._failed, self._opening, self._preamble)
        if not self._is_over:
            self._abandon = abandon
            timer = self._timer = Timer()
            pool.wheel.set(timer, self, pool.now() + timeout_s)

    def cancel(self) -> None:
        """Nobody waits any more."""
        abandon = self._abandon
        if self._end() and abandon is not None:
            abandon()

    def on_timer(self, now: float) -> None:
        abandon = self._abandon
        if self._end():
            if abandon is not None:
                abandon()
            self._waiter.on_connect_failed("no connection within the connect timeout")

    def _connected(self, upstream: Upstream) -> None:
        if self._end():
            upstream.shelf = self._shelf
            # Who called first was told on it: it is nobody else's.
            upstream.closes_at = 0.0 if self._preamble else self._pool.now() + self._opening.max_age_s
            self._waiter.on_connected(upstream)
        else:
            upstream.close()

    def _failed(self, detail: str) -> None:
        if self._end():
            self._waiter.on_connect_failed(detail)

    def _end(self) -> bool:
        if self._is_over:
            return False
        self._is_over = True
        self._abandon = None
        if self._timer is not None:
            self._timer.due = NEVER
            self._timer.owner = None
        return True


class Pool:
    """One a worker. now: monotonic seconds. beside: None where no connection is shared."""

    __slots__ = ("_beside", "connector", "now", "wheel")

    def __init__(
        self, connector: Connector, wheel: "TimerWheel", now: Callable[[], float], beside: Beside | None = None
    ) -> None:
        self.connector = connector
        self.wheel = wheel
        self.now = now
        self._beside = beside

    def beside(self, endpoint: "Endpoint", opening: OpeningSettings, now: float) -> Upstream | None:
        """For an attempt where `opening.sharing` is said: what `connect` would give it at once, None: nothing."""
        return self._beside(endpoint, opening, now) if self._beside is not None else None

    def connect(
        self,
        endpoint: "Endpoint",
        waiter: Waiter,
        timeout_s: float,
        opening: OpeningSettings = PLAIN,
        preamble: bytes = b"",
    ) -> Connecting:
        """Opens a new connection for the waiter, who may be told before this returns.

        timeout_s: to be connected. preamble: what is said on it first; then it is for one exchange.
        """
        connecting = Connecting(self, endpoint, waiter, opening, preamble)
        connecting.start(timeout_s)
        return connecting

    def give(self, upstream: "AnyUpstream", idle_timeout_s: float, max_requests: int, now: float) -> None:
        """Takes a connection back after an exchange and keeps it, if it can be used again.

        max_requests: requests after which a connection is closed, 0 = any number.
        """
        if not upstream.is_reusable() or (max_requests and upstream.requests >= max_requests):
            upstream.close()
            return
        hint_s = upstream.keep_alive_timeout_s
        if hint_s is not None:
            idle_timeout_s = min(idle_timeout_s, hint_s - KEEP_ALIVE_MARGIN_S)
            if idle_timeout_s <= 0.0:
                upstream.close()
                return
        timer, due = upstream.timer, now + idle_timeout_s
        if due > upstream.closes_at:
            due = upstream.closes_at
            if due <= now:
                upstream.close()
                return
        timer.owner, timer.due = upstream, due
        if due < timer.filed:
            self.wheel.file(timer, due)
        upstream.shelf.append(upstream)

    def close_idle(self, endpoint: "Endpoint") -> None:
        """When an endpoint is gone, was registered anew, or is to be connected to otherwise: what is open is of no use.

        What is busy now comes back to the old shelf, from which nobody takes any more, and ends with its idle time.
        """
        idle, endpoint.idle = endpoint.idle, []
        for upstream in idle:
            upstream.close()

"""Drives a call by hand, without a socket: what each side says is a line of the test, what it is told is recorded.

After mitmproxy's Playbook. Time is the test's, chance is 1/2, connections come about when the test says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.exchange import EDGE, NEVER, Exchange, Reply
from gateway.plan import RoutePlan
from gateway.relay.call import Call
from gateway.relay.deadline import TimerWheel
from gateway.relay.relay import Relay
from gateway.routing.table import TablesHolder
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import OpeningSettings
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Pool
from gateway.wire.heads import request_head
from gateway.wire.interfaces import Address, Timer, Upstream, UpstreamEvents
from meshway.http1.head import HeadLimits, RequestReader, ResponseReader
from meshway.http1.message import ResponseHead
from tests.parts.clock import ManualClock
from tests.parts.one_route import cluster, endpoint, one_route, plan

Told = tuple[object, ...]


class FakeDownstream:
    """told: what the caller was told, in order."""

    def __init__(self) -> None:
        self.timer = Timer()
        self.told: list[Told] = []
        self.is_paused = False

    def ends(self) -> tuple[Address, Address]:
        return ("127.0.0.1", 4711), ("127.0.0.1", 80)

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        self.told.append(("head", head.status, first, "ended" if ended else "open"))

    def send_body(self, data: bytes) -> None:
        self.told.append(("body", data))

    def send_end(self, trailers: bytes) -> None:
        self.told.append(("end", trailers))

    def send_interim(self, head: ResponseHead) -> None:
        self.told.append(("interim", head.status))

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        self.told.append(("reply", reply.status, reply.reason, reply.flag))

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        self.told.append(("upgrade",))

    def finish_upgraded(self) -> None:
        self.told.append(("finished",))

    def abort(self) -> None:
        self.told.append(("cut",))

    def pause_body(self) -> None:
        self.is_paused = True

    def resume_body(self) -> None:
        self.is_paused = False


class FakeUpstream:
    """told: what the endpoint was told. events: of the running attempt."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.timer = Timer()
        self.requests = 0
        self.closes_at = NEVER
        self.shelf = endpoint.idle
        self.keep_alive_timeout_s: float | None = None
        self.can_be_reused = self.closes_halves = True
        self.is_closed = False
        self.is_paused = False
        self.unsent = 0
        self.told: list[Told] = []
        self.fields = b""
        self.events: UpstreamEvents | None = None

    def is_reusable(self) -> bool:
        return self.can_be_reused

    def send_request(
        self, exchange: Exchange, events: UpstreamEvents, left_ms: int, first: bytes, ended: bool, trailers: bytes
    ) -> None:
        self.requests += 1
        self.events = events
        self.fields = request_head(exchange, left_ms)
        self.told.append(("request", first, "ended" if ended else "open"))

    def send_body(self, data: bytes) -> None:
        self.told.append(("body", data))

    def send_end(self, trailers: bytes) -> None:
        self.told.append(("end", trailers))

    def pause_body(self) -> None:
        self.is_paused = True

    def resume_body(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.is_closed = True
        self.events = None

    def on_timer(self, now: float) -> None:
        self.shelf.remove(self)
        self.close()

    # What the endpoint says.

    @property
    def _heard(self) -> UpstreamEvents:
        assert self.events is not None, "nobody listens to this upstream"
        return self.events

    def answer(self, status: int = 200, body: bytes = b"", *, fields: str = "", ended: bool = True) -> None:
        head = read_answer(f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\n{fields}\r\n")
        events = self._heard
        if ended:
            self.events = None
        events.on_head(head, body, ended, b"")

    def body(self, data: bytes) -> None:
        self._heard.on_body(data)

    def end(self, trailers: bytes = b"") -> None:
        self._heard.on_end(trailers)

    def interim(self, status: int = 103) -> None:
        self._heard.on_interim(read_answer(f"HTTP/1.1 {status} Status\r\n\r\n"))

    def upgrade(self, first: bytes = b"", fields: str = "") -> None:
        text = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{fields}\r\n"
        self._heard.on_upgrade(read_answer(text), first)

    def fail(self, kind: str = "reset") -> None:
        self._heard.on_failure(kind, "as the test says")


def read_answer(text: str) -> ResponseHead:
    head = ResponseReader(HeadLimits()).read(text.encode(), 0, b"GET")
    assert head is not None
    return head


@dataclass
class Opening:
    """A connection that somebody waits for."""

    endpoint: Endpoint
    on_connected: Callable[[Upstream], None]
    on_failed: Callable[[str], None]
    preamble: bytes = b""
    is_abandoned: bool = False

    def abandon(self) -> None:
        self.is_abandoned = True


@dataclass
class Playbook:
    """make_plan: of the one cluster, to say what the route has. finished: exchanges that are over, with their end."""

    endpoints: tuple[Endpoint, ...] = field(default_factory=lambda: (endpoint(1, "a"), endpoint(2, "b")))
    make_cluster: Callable[..., Cluster] = cluster
    make_plan: Callable[[Cluster], RoutePlan] = plan
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.wheel = TimerWheel(self.clock())
        self.openings: list[Opening] = []
        self.upstreams: list[FakeUpstream] = []
        self.finished: list[tuple[Exchange, float]] = []
        self.pool = Pool(self._open, self.wheel, self.clock)
        self.cluster = self.make_cluster(*self.endpoints, now=self.clock)
        self.holder = TablesHolder(one_route(self.make_plan(self.cluster)))
        self.relay = Relay(
            self.holder,
            self.pool,
            self.wheel,
            self.clock,
            lambda exchange, now: self.finished.append((exchange, now)),
            lambda: 0.5,
        )
        self.downstream = FakeDownstream()

    def _open(
        self,
        endpoint: Endpoint,
        on_connected: Callable[[Upstream], None],
        on_failed: Callable[[str], None],
        settings: OpeningSettings,
        preamble: bytes,
    ) -> Callable[[], None]:
        opening = Opening(endpoint, on_connected, on_failed, preamble)
        self.openings.append(opening)
        return opening.abandon

    # The caller.

    def request(
        self,
        method: str = "GET",
        target: str = "/books",
        *,
        fields: str = "",
        first: bytes = b"",
        ended: bool = True,
        listener: int = EDGE,
    ) -> Call:
        text = f"{method} {target} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n"
        head = RequestReader(HeadLimits()).read(text.encode())
        assert head is not None
        self.downstream = FakeDownstream()
        call = Call(self.relay, Exchange(head, listener, "127.0.0.1", self.clock()), self.downstream)
        call.start(first, ended, b"")
        return call

    @property
    def told(self) -> list[Told]:
        return self.downstream.told

    # The endpoints and time.

    def connect(self) -> FakeUpstream:
        """The oldest connection that is waited for comes about."""
        opening = self.openings.pop(0)
        assert not opening.is_abandoned
        upstream = FakeUpstream(opening.endpoint)
        self.upstreams.append(upstream)
        opening.on_connected(upstream)
        return upstream

    def refuse(self) -> None:
        self.openings.pop(0).on_failed("refused")

    def pass_time(self, seconds: float) -> None:
        """In steps, as a worker's timer would."""
        end = self.clock.now_s + seconds
        while self.clock.now_s < end:
            self.clock.now_s = min(end, self.clock.now_s + 0.01)
            self.wheel.advance(self.clock.now_s)
        self.clock.advance(0.02)
        self.wheel.advance(self.clock.now_s)

    def last(self) -> Exchange:
        """The only exchange that is over since the last call of this."""
        assert len(self.finished) == 1, self.finished
        exchange, _ = self.finished.pop()
        return exchange

    def assert_nothing_is_held(self) -> None:
        """No attempt counts as running, no timer of the caller's is set."""
        assert all(endpoint.in_flight == 0 for endpoint in self.endpoints)
        assert self.downstream.timer.due == NEVER

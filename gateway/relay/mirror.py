"""Copies of calls, sent to a second cluster for what it does with them; its answers are dropped, after
they were held against the call's own where the rule wants that.

Fire and forget: the call neither waits for its copies nor hears of them, they are never repeated, and no breaker,
bulkhead or outlier detection counts them; only the algorithm that picks learns how long they take. A copy is sent when
the request is whole, so a body must fit into MAX_BODY.
"""

from typing import TYPE_CHECKING, Final

from gateway.exchange import Exchange
from gateway.plan import MirrorPlan, RoutePlan
from gateway.relay.asking import copy_of
from gateway.relay.comparing import ComparedDownstream, Comparison
from gateway.relay.replay import Replay
from gateway.relay.retry import FAILURES
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Connecting
from gateway.wire.interfaces import Downstream, Upstream
from gateway.wire.proxy_protocol import proxy_head
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.relay.relay import Relay

MAX_BODY: Final = 64 * 1024
MOST_RUNNING: Final = 100  # copies of a worker that have no answer yet
MAX_WAIT_S: Final = 60.0  # for an answer's end, where the rule waits for a first byte forever
_MARK: Final = b"meshway-mirror: 1\r\n"


class CopiedBody(Replay):
    """A request's body of which the whole is kept besides, for the copies. copied: None when it is too long."""

    __slots__ = ("_pieces_copied", "_size_copied")

    def __init__(self, limit: int, first: bytes) -> None:
        super().__init__(limit, first)
        self._pieces_copied: list[bytes] = []
        self._size_copied = 0
        self._copy(first)

    def hold(self, data: bytes) -> None:
        self._copy(data)
        super().hold(data)

    def keep(self, data: bytes) -> None:
        if not self.is_whole:
            self._copy(data)
        super().keep(data)

    def _copy(self, data: bytes) -> None:
        self._size_copied += len(data)
        if self._size_copied <= MAX_BODY:
            self._pieces_copied.append(data)
        else:
            self._pieces_copied.clear()

    @property
    def copied(self) -> bytes | None:
        return b"".join(self._pieces_copied) if self._size_copied <= MAX_BODY else None


def mirror(
    relay: "Relay", exchange: Exchange, body: Replay | None, trailers: bytes, downstream: Downstream
) -> Downstream:
    """Sends the copies of a call whose request is whole, each by its share. Upgrades are not copied.

    Answers where the call's own answer goes from now on: by comparisons, where a copy has one. Of a call that is being
    answered already none begins.
    """
    plan = exchange.plan
    if plan is None or exchange.head.upgrade:
        return downstream
    for copy in plan.mirrors:
        if relay.random() >= copy.share:
            continue
        whole = body.copied if isinstance(body, CopiedBody) else b""
        if whole is None:
            copy.count("too_large")
        elif relay.mirrored >= MOST_RUNNING:
            copy.count("busy")
        else:
            comparison = None
            if copy.compare is not None and not exchange.status:
                comparison = Comparison(copy.compare, relay.now())
                downstream = ComparedDownstream(downstream, comparison)
            _Copy(relay, copy, plan, exchange, whole, trailers, comparison).start()
    return downstream


class _Copy:
    """One copy on its way; an `UpstreamEvents` and the owner of its connection's timer."""

    __slots__ = (
        "_answered", "_body", "_comparison", "_connecting", "_endpoint", "_exchange", "_is_over", "_mirror", "_relay",
        "_status", "_trailers", "_upstream", "_wait_s",
    )  # fmt: skip

    def __init__(
        self,
        relay: "Relay",
        copy: MirrorPlan,
        plan: RoutePlan,
        exchange: Exchange,
        body: bytes,
        trailers: bytes,
        comparison: Comparison | None,
    ) -> None:
        self._relay = relay
        self._comparison = comparison
        self._mirror = copy
        self._exchange = copy_of(exchange, relay.now())
        self._exchange.block += _MARK  # as the service would get it, marked as a copy
        self._exchange.attempts = 1
        self._body = body
        self._trailers = trailers
        self._wait_s = min(plan.first_byte_s, MAX_WAIT_S)
        self._connecting: Connecting | None = None
        self._endpoint: Endpoint | None = None
        self._upstream: Upstream | None = None
        self._is_over = False
        self._status = 0
        self._answered = 0.0  # when the answer began

    def start(self) -> None:
        cluster = self._mirror.cluster
        pick = cluster.first_pick
        if pick is None:
            self._unsent("no_endpoint")
            return
        endpoint = self._endpoint = pick(self._exchange)
        guard = self._mirror.guard
        if guard is not None and guard.refusal(self._exchange, cluster.name, endpoint.key) is not None:
            self._unsent("denied")
            return
        endpoint.in_flight += 1
        self._relay.mirrored += 1
        if endpoint.idle:
            self._send(endpoint.idle.pop())
            return
        opening = cluster.opening_of(endpoint)
        # A copy is the gateway's own doing: it names no caller.
        preamble = proxy_head(opening.proxy_protocol, None, None) if opening.proxy_protocol else b""
        connecting = self._relay.pool.connect(endpoint, self, cluster.connect_timeout_s, opening, preamble)
        if self._upstream is None and not self._is_over:
            self._connecting = connecting

    def on_connected(self, upstream: Upstream) -> None:
        self._connecting = None
        self._send(upstream)

    def on_connect_failed(self, detail: str) -> None:
        self._connecting = None
        self._end("failed", "connect_failure")

    def _send(self, upstream: Upstream) -> None:
        relay = self._relay
        self._upstream = upstream
        relay.wheel.set(upstream.timer, self, relay.now() + self._wait_s)
        upstream.send_request(self._exchange, self, -1, self._body, True, self._trailers)

    # The answer, of which only its end is of interest: then the connection may be used again.

    def on_head(self, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        self._status, self._answered = head.status, self._relay.now()
        if self._comparison is not None:
            self._comparison.copy.begin(head.status, head, self._answered)
            self._comparison.copy.feed(first)
        if ended:
            self._end("answered")

    def on_end(self, trailers: bytes) -> None:
        self._end("answered")

    def on_failure(self, kind: str, detail: str) -> None:
        self._end("failed", FAILURES[kind].outcome)

    def on_timer(self, now: float) -> None:
        # What does not end within the time is as slow as its head, as of calls.
        self._end("failed", "ok" if self._status else "first_byte_timeout")

    def on_interim(self, head: ResponseHead) -> None:
        pass

    def on_body(self, data: bytes) -> None:
        if self._comparison is not None:
            self._comparison.copy.feed(data)

    def on_upgrade(self, head: ResponseHead, first: bytes) -> None:
        self._end("failed", "upstream_protocol")

    def on_write_paused(self) -> None:
        pass

    def on_write_resumed(self) -> None:
        pass

    def _unsent(self, outcome: str) -> None:
        self._mirror.count(outcome)
        if self._comparison is not None:
            self._comparison.copy_ended()

    def _end(self, outcome: str, verdict: str = "ok") -> None:
        """verdict: as of attempts, `Cluster.attempt_ended`."""
        if self._is_over:
            return
        self._is_over = True
        relay, cluster, upstream = self._relay, self._mirror.cluster, self._upstream
        assert self._endpoint is not None
        self._endpoint.in_flight -= 1
        relay.mirrored -= 1
        self._mirror.count(outcome)
        if self._comparison is not None:
            if outcome != "answered":
                self._comparison.copy.status = 0
            self._comparison.copy_ended()
        if cluster.learn is not None:
            now = relay.now()
            cluster.learn(self._endpoint, verdict, self._status, (self._answered or now) - self._exchange.started, now)
        if upstream is None:
            return
        if outcome == "answered":
            relay.pool.give(upstream, cluster.idle_timeout_s, cluster.max_requests, relay.now())
        else:
            upstream.close()

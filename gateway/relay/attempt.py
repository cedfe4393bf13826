"""One try of an exchange on one endpoint: its connection, its timeouts, and what it tells the call.

An attempt hears only from its own connection, so what comes late from an attempt that was given up finds nobody.
"""

from typing import TYPE_CHECKING, Final

from gateway.exchange import NEVER
from gateway.plan import RoutePlan
from gateway.relay.forwarding import ends_of
from gateway.relay.grpc_outcome import judge
from gateway.relay.retry import FAILURES
from gateway.relay.tunnel import Tunnel, open_tunnel
from gateway.relay.websocket_tunnel import WebSocketTunnel
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Connecting
from gateway.wire.proxy_protocol import proxy_head
from gateway.wire.websocket.handshake import answer_fault
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.relay.call import Call
    from gateway.wire.interfaces import AnyUpstream

WRITE_STALL_S: Final = 30.0  # without a byte taken by the upstream
# Of a side by TLS that cannot be told that the other one has ended: so long it may be silent with an answer under way.
UNTOLD_S: Final = 1.0


class Attempt:
    """upstream: None until connected. deadline: of `timeouts.attempt`, monotonic seconds.

    endpoint: where. is_over: neither its connection nor its timer is listened to any more.
    """

    __slots__ = (
        "_call", "_cluster", "_connecting", "_deadline", "_has_head", "_is_paused", "_is_request_sent",
        "_is_tunnel", "_is_untold", "_plan", "_pool", "_stalled_at", "_started", "_wheel", "endpoint", "is_over",
        "upstream",
    )  # fmt: skip

    def __init__(self, call: "Call", cluster: Cluster, plan: RoutePlan, endpoint: Endpoint, deadline: float) -> None:
        self._call = call
        self._cluster = cluster
        self._plan = plan
        self._pool = call.relay.pool
        self._wheel = call.relay.wheel
        self.endpoint = endpoint
        self._deadline = deadline
        self._connecting: Connecting | None = None
        self._has_head = False
        self._is_paused = False
        self._is_request_sent = False
        self._is_tunnel = self._is_untold = False
        self._stalled_at = -1  # bytes unsent when the upstream stopped taking, -1 = it takes
        self.is_over = False
        self.upstream: AnyUpstream | None = None

    def start(self, now: float, fresh: bool) -> None:
        """fresh: only a new connection will do."""
        endpoint = self.endpoint
        endpoint.in_flight += 1
        self._started = now
        if endpoint.idle and not fresh:
            self._send(endpoint.idle.pop(), now)
            return
        opening, preamble = self._cluster.opening_of(endpoint), b""
        if opening.sharing is not None:
            beside = self._pool.beside(endpoint, opening, now)
            if beside is not None:
                self._send(beside, now)
                return
        if self._cluster.connections is not None:
            self._cluster.connections.make_room()
        timeout_s = min(self._cluster.connect_timeout_s, self._deadline - now)
        if opening.proxy_protocol:
            call = self._call
            preamble = proxy_head(opening.proxy_protocol, *ends_of(call.exchange, call.downstream))
        connecting = self._pool.connect(endpoint, self, timeout_s, opening, preamble)
        if self.upstream is None and not self.is_over:
            self._connecting = connecting

    # The connection comes about.

    def on_connected(self, upstream: "AnyUpstream") -> None:
        self._connecting = None
        self._send(upstream, self._pool.now())

    def on_connect_failed(self, detail: str) -> None:
        self._connecting = None
        self._fail("connect_failure", detail, self._pool.now())

    def _send(self, upstream: "AnyUpstream", now: float) -> None:
        self.upstream = upstream
        call = self._call
        exchange = call.exchange
        left_s = exchange.deadline - now
        ended = self._is_request_sent = call.is_request_whole
        due = now + (self._plan.first_byte_s if ended else self._plan.idle_s)
        if due > self._deadline:
            due = self._deadline
        timer = upstream.timer
        timer.owner, timer.due = self, due
        if due < timer.filed:
            self._wheel.file(timer, due)
        left_ms = -1 if left_s == NEVER else max(0, int(left_s * 1000.0))
        first = b"" if call.body is None else call.take_body()
        upstream.send_request(exchange, self, left_ms, first, ended, call.request_trailers)
        if self._is_paused and not self.is_over:
            self._is_paused = False
            self.pause()

    @property
    def is_held_up(self) -> bool:
        """One of the two sides takes nothing, so the other one is not heard."""
        return self._is_paused or self._stalled_at >= 0

    # The request goes on.

    def send_body(self, data: bytes) -> None:
        assert self.upstream is not None
        if self._stalled_at >= 0:
            self._stalled_at += len(data)  # on its way when the caller was asked to wait
        self._moved()
        self.upstream.send_body(data)

    def send_end(self, trailers: bytes) -> None:
        assert self.upstream is not None
        self._is_request_sent = True
        self._moved()
        self.upstream.send_end(trailers)

    @property
    def closes_halves(self) -> bool:
        return self.upstream is None or self.upstream.closes_halves

    def await_rest(self) -> None:
        """The caller's half of a tunnel is closed. A service that cannot be told by that may still have a last word."""
        self._is_untold = not self.closes_halves
        self._moved()

    def pause(self) -> None:
        """The caller does not take the answer: that is not the upstream's silence."""
        if self._is_paused or self.is_over:
            return
        self._is_paused = True
        if self.upstream is not None:
            self._moved()
            self.upstream.pause_body()

    def resume(self) -> None:
        if not self._is_paused or self.is_over:
            return
        self._is_paused = False
        if self.upstream is not None:
            self._moved()
            self.upstream.resume_body()

    def on_write_paused(self) -> None:
        assert self.upstream is not None
        self._stalled_at = self.upstream.unsent
        self._wheel.set(self.upstream.timer, self, min(self._deadline, self._pool.now() + WRITE_STALL_S))
        self._call.downstream.pause_body()

    def on_write_resumed(self) -> None:
        self._stalled_at = -1
        self._moved()
        self._call.downstream.resume_body()

    # The answer comes.

    def on_interim(self, head: ResponseHead) -> None:
        self._call.downstream.send_interim(head)

    def on_head(self, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        now = self._pool.now()
        call = self._call
        retry = self._plan.retry
        if retry is not None and head.status in retry.statuses and call.further.are_wanted(self, head, retry, now):
            status = judge(head.block, call.exchange, self._cluster, head.status)
            self._end("ok", status, now, is_kept=ended)
            call.further.follow_answer(self, head, retry, now)
            return
        if self._plan.hedge is not None:
            call.further.won_by(self, self._plan.hedge, now)
        self._has_head = True
        if ended:
            status = head.status
            if trailers:
                status = judge(trailers, call.exchange, self._cluster, status)
            elif not head.body and b"grpc-status" in head.named:
                status = judge(head.block, call.exchange, self._cluster, status)
            call.exchange.status = status
            self._end("ok", status, now, True)  # no keyword: in CPython 3.11 it makes another C frame
        else:
            call.exchange.status = head.status
            self._moved()
        call.pass_head(head, first, ended, trailers, now)

    def on_body(self, data: bytes) -> None:
        self._moved()
        call = self._call
        call.exchange.bytes_out += len(data)
        call.downstream.send_body(data)

    def on_end(self, trailers: bytes) -> None:
        call = self._call
        if call.tunnel is not None:
            call.tunnel.upstream_ended()
            return
        now = self._pool.now()
        exchange = call.exchange
        if trailers:
            exchange.status = judge(trailers, exchange, self._cluster, exchange.status)
        self._end("ok", exchange.status, now, is_kept=True)
        call.pass_end(trailers, now)

    def on_upgrade(self, head: ResponseHead, first: bytes) -> None:
        call, plan, now = self._call, self._plan, self._pool.now()
        exchange = call.exchange
        if plan.websocket is not None or exchange.head.minor > 1:  # of HTTP/2, whose caller has no key to judge by
            fault = answer_fault(exchange.block, head.block)
            if fault:
                self._fail("upstream_protocol", fault, now)
                return
        if plan.hedge is not None:
            call.further.won_by(self, plan.hedge, now)
        self._has_head = self._is_tunnel = self._is_request_sent = True
        self._deadline = NEVER
        tunnel = Tunnel(call, self) if plan.websocket is None else WebSocketTunnel(call, self, plan.websocket, head)
        open_tunnel(call, tunnel, head, first, now)
        if not self.is_over:
            self._moved()

    def on_failure(self, kind: str, detail: str) -> None:
        self._fail(kind, detail, self._pool.now())

    # Time passes.

    def _moved(self) -> None:
        """A byte went either way: the silence is counted from now."""
        upstream = self.upstream
        if upstream is None or self._stalled_at >= 0:
            return
        due = NEVER
        if not self._is_paused:
            plan = self._plan
            if self._is_tunnel:
                wait_s = UNTOLD_S if self._is_untold else plan.upgraded_idle_s
            else:
                wait_s = plan.first_byte_s if self._is_request_sent and not self._has_head else plan.idle_s
            due = self._pool.now() + wait_s
        self._wheel.set(upstream.timer, self, due if due < self._deadline else self._deadline)

    def on_timer(self, now: float) -> None:
        upstream = self.upstream
        assert upstream is not None
        if now >= self._deadline:
            self._fail("attempt_timeout", "the attempt took longer than its timeout", now)
        elif self._stalled_at >= 0:
            unsent = upstream.unsent
            if unsent < self._stalled_at:
                self._stalled_at = unsent
                self._wheel.set(upstream.timer, self, min(self._deadline, now + WRITE_STALL_S))
            else:
                self._fail("idle_timeout", "the upstream took no byte of the request", now)
        elif self._is_tunnel:
            assert self._call.tunnel is not None
            if self._is_untold:
                self._call.tunnel.upstream_ended()
                return
            self._call.tunnel.tell_service()
            self._fail("upgraded_idle", "no byte went either way", now)
        elif self._has_head:
            self._fail("idle_timeout", "no byte went either way", now)
        elif self._is_request_sent:
            self._fail("first_byte_timeout", "no answer began within the first byte timeout", now)
        else:
            self._fail("idle_caller", "the request's body did not go on", now)

    # It ends.

    def cancel(self, outcome: str, now: float) -> None:
        """The call is over, or goes on without this attempt."""
        if not self.is_over:
            self._end(outcome, 0, now, is_kept=False)

    def _fail(self, kind: str, detail: str, now: float) -> None:
        if not self.is_over:
            self._end(FAILURES[kind].outcome, 0, now, is_kept=False)
            self._call.attempt_failed(self, kind, detail, self._has_head, now)

    def _end(self, outcome: str, status: int, now: float, is_kept: bool) -> None:
        self.is_over = True
        cluster = self._cluster
        upstream = self.upstream
        if upstream is None:
            connecting, self._connecting = self._connecting, None
            if connecting is not None:
                connecting.cancel()
        elif is_kept:
            self._pool.give(upstream, cluster.idle_timeout_s, cluster.max_requests, now)
        else:
            upstream.close()
        observe = cluster.observe
        if observe is not None:
            # An answer that streams is as slow as its head: how long the rest takes is for caller and content to say.
            answered = self._call.exchange.first_byte or now
            observe(self.endpoint, outcome, status, answered - self._started, now)
        cluster.attempt_ended(self.endpoint, outcome, status, now, self._call.exchange)

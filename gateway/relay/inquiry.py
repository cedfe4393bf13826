"""What the gateway itself asks a service before it lets a call go on: one request, one answer, held whole.

By the pools of calls and in the loop's callbacks, without a task. It enters no bulkhead; outlier detection counts it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.exchange import NEVER, Exchange
from gateway.relay.retry import FAILURES
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Connecting, Pool
from gateway.wire.interfaces import Upstream
from gateway.wire.proxy_protocol import proxy_head
from meshway.http1.message import ResponseHead

MOST_BODY: Final = 64 * 1024
# Of a connection that was kept, and closed by the other side meanwhile: nobody has read the question.
_UNREAD: Final = frozenset({"stale_connection", "reset_before_request"})


class Answer(NamedTuple):
    status: int
    block: bytes
    body: bytes


class Inquiry:
    """exchange: what is asked; body: with its length in the exchange's head. tell: called once, unless it is cancelled,
    with the answer, or why there is none. An `UpstreamEvents`, a `Waiter` and the owner of its connection's timer.
    """

    __slots__ = (
        "_body", "_cluster", "_connecting", "_due", "_endpoint", "_exchange", "_head", "_is_fresh", "_is_over", "_pool",
        "_sent", "_tell", "_upstream",
    )  # fmt: skip

    def __init__(
        self,
        pool: Pool,
        cluster: Cluster,
        exchange: Exchange,
        timeout_s: float,
        tell: Callable[[Answer | str], None],
        body: bytes = b"",
    ) -> None:
        self._pool = pool
        self._cluster = cluster
        self._exchange = exchange
        self._tell = tell
        self._due = pool.now() + timeout_s
        self._body = b""
        self._sent = body
        self._connecting: Connecting | None = None
        self._endpoint: Endpoint | None = None
        self._head: ResponseHead | None = None
        self._is_fresh = False
        self._is_over = False
        self._upstream: Upstream | None = None

    def start(self) -> None:
        pick = self._cluster.first_pick
        if pick is None:
            self._is_over = True
            self._tell(f"service {self._cluster.name} has no instance that may be called")
            return
        endpoint = self._endpoint = pick(self._exchange)
        endpoint.in_flight += 1
        if endpoint.idle and not self._is_fresh:
            self._send(endpoint.idle.pop())
            return
        self._is_fresh = True
        opening = self._cluster.opening_of(endpoint)
        preamble = proxy_head(opening.proxy_protocol, None, None) if opening.proxy_protocol else b""
        timeout_s = min(self._cluster.connect_timeout_s, self._due - self._pool.now())
        connecting = self._pool.connect(endpoint, self, timeout_s, opening, preamble)
        if self._upstream is None and not self._is_over:
            self._connecting = connecting

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if not self._is_over:
            self._end("cancelled")

    def on_connected(self, upstream: Upstream) -> None:
        self._connecting = None
        self._send(upstream)

    def on_connect_failed(self, detail: str) -> None:
        self._connecting = None
        self._fail("connect_failure", detail)

    def _send(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._pool.wheel.set(upstream.timer, self, self._due)
        upstream.send_request(self._exchange, self, -1, self._sent, True, b"")

    def on_head(self, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        self._head = head
        self.on_body(first)
        if ended and not self._is_over:
            self.on_end(trailers)

    def on_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > MOST_BODY:
            self._fail("upstream_protocol", f"answers with more than {MOST_BODY} bytes")

    def on_end(self, trailers: bytes) -> None:
        head = self._head
        assert head is not None
        self._end("ok", head.status)
        self._tell(Answer(head.status, head.block, self._body))

    def on_failure(self, kind: str, detail: str) -> None:
        if kind in _UNREAD and not self._is_fresh:
            self._give_back("cancelled", 0)
            self._upstream = None
            self._is_fresh = True
            self.start()
        else:
            self._fail(kind, detail)

    def on_timer(self, now: float) -> None:
        self._fail("attempt_timeout", "has not answered in time")

    def on_interim(self, head: ResponseHead) -> None:
        pass

    def on_upgrade(self, head: ResponseHead, first: bytes) -> None:
        self._fail("upstream_protocol", "changes the protocol, which nobody asked for")

    def on_write_paused(self) -> None:
        pass

    def on_write_resumed(self) -> None:
        pass

    def _fail(self, kind: str, detail: str) -> None:
        if not self._is_over:
            self._end(FAILURES[kind].outcome)
            self._tell(f"service {self._cluster.name}: {detail}")

    def _end(self, outcome: str, status: int = 0) -> None:
        self._is_over = True
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        self._give_back(outcome, status)

    def _give_back(self, outcome: str, status: int) -> None:
        """Endpoint and connection. outcome: as of attempts."""
        endpoint, upstream, cluster = self._endpoint, self._upstream, self._cluster
        if endpoint is not None:
            self._endpoint = None
            cluster.attempt_ended(endpoint, outcome, status, self._pool.now(), self._exchange)
        if upstream is None:
            return
        self._upstream = None
        upstream.timer.owner, upstream.timer.due = None, NEVER
        if outcome == "ok":
            self._pool.give(upstream, cluster.idle_timeout_s, cluster.max_requests, self._pool.now())
        else:
            upstream.close()

"""What the gateway itself asks a service by gRPC before it lets a call go on: one message, one message back.

As an `Inquiry`, in the loop's callbacks and without a task, on connections that all calls share. It enters no bulkhead;
outlier detection counts it. A question that met a connection as it closed is put once more, as to ask twice does no
harm. One that nobody has looked at is put again a few times: a service that takes few questions at once may count one
for a moment longer than we do (RFC 9113 §5.1.2).
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from gateway.exchange import NEVER, Exchange
from gateway.relay.retry import FAILURES
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.shared_pool import Joining, SharedPool
from gateway.wire.interfaces import SharedUpstream, Timer
from meshway.grpc_message import (
    CONTENT_TYPE,
    DEADLINE_EXCEEDED,
    OK,
    PERMISSION_DENIED,
    PREFIX_SIZE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    GrpcFault,
    framed,
    status_of,
    timeout_field,
    unframed,
)

MOST_ANSWER: Final = 128 * 1024
_MOST_TRIES: Final = 2
_MOST_REFUSED: Final = 8
REFUSED_S: Final = 0.01  # until it is put again
# As outlier detection and breakers know answers.
_HTTP_STATUSES: Final = {
    OK: 200,
    PERMISSION_DENIED: 200,
    UNAUTHENTICATED: 200,
    DEADLINE_EXCEEDED: 504,
    UNAVAILABLE: 503,
}

MOST_ASKED: Final = 1_000  # of one instance at once: whoever is slower than that is asked nothing more meanwhile


class UnaryAnswer(NamedTuple):
    """code: of gRPC. message: b"" where the code is not OK."""

    code: int
    message: bytes


class UnaryCall:
    """method: `/package.Service/Method`. exchange: the call that waits. tell: called once, unless it is cancelled, with
    the answer, or why there is none. An `AnswerEvents` and the owner of its timer.
    """

    takes = True
    is_tunnel = False
    __slots__ = (
        "_authority", "_body", "_cluster", "_due", "_endpoint", "_exchange", "_head", "_heard", "_is_over",
        "_is_refused", "_joining", "_message", "_method", "_number", "_pool", "_scheme", "_tell", "_timer", "_tries",
        "_upstream",
    )  # fmt: skip

    def __init__(
        self,
        pool: SharedPool,
        cluster: Cluster,
        exchange: Exchange,
        authority: bytes,
        method: bytes,
        message: bytes,
        timeout_s: float,
        tell: Callable[[UnaryAnswer | str], None],
    ) -> None:
        self._pool, self._cluster, self._exchange = pool, cluster, exchange
        self._authority, self._method, self._message = authority, method, message
        self._tell = tell
        self._due = pool.now() + timeout_s
        self._timer = Timer()
        self._endpoint: Endpoint | None = None
        self._upstream: SharedUpstream | None = None
        self._joining: Joining | None = None
        self._number = self._heard = 0
        self._tries = 0
        self._head: dict[bytes, bytes] | None = None
        self._body = b""
        self._scheme = b"http"
        self._is_over = self._is_refused = False

    def start(self) -> None:
        self._pool.wheel.set(self._timer, self, self._due)
        self._try()

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if not self._is_over:
            self._end("cancelled")

    def _try(self) -> None:
        cluster = self._cluster
        pick = cluster.first_pick
        if pick is None:
            self._end("cancelled")
            self._tell(f"service {cluster.name} has no instance that may be called")
            return
        self._tries += 1
        endpoint = self._endpoint = pick(self._exchange)
        endpoint.in_flight += 1
        opening = cluster.opening_of(endpoint)
        self._scheme = b"http" if opening.tls is None else b"https"
        joining = self._pool.join(
            endpoint,
            self._send,
            self._not_connected,
            cluster.connect_timeout_s,
            opening,
            cluster.max_requests,
            most=MOST_ASKED,
        )
        if self._upstream is None and not self._is_over:
            self._joining = joining

    def _not_connected(self, detail: str) -> None:
        self._joining = None
        self._fail("connect_failure", detail)

    def _send(self, upstream: SharedUpstream) -> None:
        self._joining = None
        self._upstream, self._heard = upstream, upstream.heard
        self._head, self._body = None, b""
        exchange = self._exchange
        fields = [
            (b":method", b"POST"),
            (b":scheme", self._scheme),
            (b":path", self._method),
            (b":authority", self._authority),
            (b"te", b"trailers"),
            (b"content-type", CONTENT_TYPE),
            (b"user-agent", b"meshway"),
            (b"grpc-timeout", timeout_field(self._due - self._pool.now())),
            (b"x-request-id", exchange.request_id),
            (b"traceparent", exchange.traceparent),
        ]
        self._number = upstream.begin(fields, framed(self._message), self)

    # The answer.

    def on_interim(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Says nothing of what is asked."""

    def on_written(self, unsent: int) -> None:
        """The message is bounded: nothing waits for that."""

    def on_fields(
        self,
        fields: Sequence[tuple[bytes, bytes]],
        ended: bool,
        first: bytes = b"",
        trailers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        head = self._head = dict(fields)
        if head.get(b":status") != b"200" or not head.get(b"content-type", b"").startswith(CONTENT_TYPE):
            self._fail("upstream_protocol", "does not answer as gRPC does")
        elif ended and not first and not trailers:
            self._judge(head)
        elif first:
            self.on_data(first, ended and not trailers)
        if trailers and not self._is_over:
            self.on_trailers(trailers)

    def on_data(self, data: bytes, ended: bool) -> None:
        self._body += data
        if len(self._body) > MOST_ANSWER + PREFIX_SIZE:
            self._fail("upstream_protocol", f"answers with more than {MOST_ANSWER} bytes")
        elif ended:
            self._fail("upstream_protocol", "ends its answer without a status")

    def on_trailers(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        self._judge(dict(fields))

    def _judge(self, last: dict[bytes, bytes]) -> None:
        """last: the fields that have the status."""
        try:
            code = status_of(last.get(b"grpc-status"))
            message = unframed(self._body) if code == OK else b""
        except GrpcFault as fault:
            self._fail("upstream_protocol", str(fault))
            return
        self._end("ok", _HTTP_STATUSES.get(code, 500))
        self._tell(UnaryAnswer(code, message))

    def on_lost(self, kind: str, detail: str) -> None:
        upstream = self._upstream
        is_unread = kind == "refused_stream"
        was_kept = upstream is not None and upstream.requests > 1 and self._head is None and kind == "reset"
        if is_unread and self._tries < _MOST_REFUSED:
            self._let_go("stale_connection", 0)
            self._is_refused = True
            self._pool.wheel.set(self._timer, self, min(self._due, self._pool.now() + REFUSED_S))
        elif was_kept and self._tries < _MOST_TRIES:
            self._let_go("stale_connection", 0)
            self._try()
        else:
            self._fail("reset" if is_unread else kind, detail)

    def on_timer(self, now: float) -> None:
        if self._is_refused and now < self._due:
            self._is_refused = False
            self._pool.wheel.set(self._timer, self, self._due)
            self._try()
            return
        upstream = self._upstream
        if upstream is not None and upstream.heard == self._heard:
            upstream.retire()  # as silent as one whose other side is gone: the next question opens another
        self._fail("attempt_timeout", "has not answered in time")

    def _fail(self, kind: str, detail: str) -> None:
        if not self._is_over:
            self._end(FAILURES[kind].outcome)
            self._tell(f"service {self._cluster.name}: {detail}")

    def _end(self, outcome: str, status: int = 0) -> None:
        self._is_over = True
        self._timer.owner, self._timer.due = None, NEVER
        self._let_go(outcome, status)

    def _let_go(self, outcome: str, status: int) -> None:
        """Endpoint and connection. outcome: as of attempts."""
        endpoint, upstream, cluster = self._endpoint, self._upstream, self._cluster
        if self._joining is not None:
            self._joining.leave()
            self._joining = None
        if endpoint is not None:
            self._endpoint = None
            cluster.attempt_ended(endpoint, outcome, status, self._pool.now(), self._exchange)
        if upstream is not None:
            self._upstream = None
            upstream.cancel(self._number)
            self._pool.rest(upstream, cluster.idle_timeout_s)

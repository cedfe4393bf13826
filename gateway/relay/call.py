"""Conducts one exchange: match, filters, cluster, attempts, answer. A state machine inside the Protocols' callbacks.

No task, no future: what cannot go on at once (a connection, a full bulkhead, a backoff) calls back later. The one
exception is a filter that answers with an awaitable.
"""

import logging
from collections.abc import Awaitable

from gateway.authentication.service_token import FIELD as SERVICE_TOKEN
from gateway.authentication.service_token import prove
from gateway.exchange import MESH, NEVER, Exchange, Hold, Reply, WholeBody
from gateway.plan import BUILT_IN, RoutePlan
from gateway.relay import encoding
from gateway.relay.attempt import Attempt
from gateway.relay.caller_deadline import grpc_left_s, left_s
from gateway.relay.ending import ADMITTED, FURTHER, IN_LINE, NOTHING, OUTSIDE
from gateway.relay.further_attempts import FurtherAttempts
from gateway.relay.mirror import CopiedBody, mirror
from gateway.relay.refusals import nowhere, too_large
from gateway.relay.relay import Relay
from gateway.relay.replay import Replay
from gateway.relay.request_body import RequestBody
from gateway.relay.retry import FAILURES
from gateway.relay.trace import begin_trace
from gateway.relay.tunnel import Tunnel
from gateway.routing.path import PathError, canonical
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.guards import PENDING
from gateway.verdict import Detour, Recoding, Turn
from gateway.wire.interfaces import Downstream
from meshway.http1.fields import remove
from meshway.http1.message import ResponseHead
from meshway.tasks import spawn

_log = logging.getLogger("gateway.relay")


class Call(RequestBody):
    """The downstream makes one for each request head, calls `start`, and then says what the caller does.

    tunnel: after an upgrade, when the downstream tells that what the caller does.
    """

    __slots__ = ("tunnel",)

    def __init__(self, relay: Relay, exchange: Exchange, downstream: Downstream) -> None:
        self.relay = relay
        self.exchange = exchange
        self.downstream = downstream
        self.is_over = False
        self.attempt = None
        self._cluster_state = OUTSIDE
        self._further = None
        self._turns = ()
        self._waits_for = NOTHING
        self.is_request_whole = False
        self.request_trailers = b""
        self.body = None
        self._wants_whole = None
        self._recoding = None
        self.tunnel: Tunnel | None = None

    # From the head to the first attempt.

    def refuse(self, reply: Reply) -> None:
        """Instead of `start`."""
        begin_trace(self.exchange)
        self.answer(reply)

    def start(self, first: bytes, ended: bool, trailers: bytes) -> None:
        """first: the body's beginning, as far as it is there. ended: the request is whole with it."""
        exchange = self.exchange
        begin_trace(exchange)
        head = exchange.head
        read = head.path
        if read is None:
            try:
                read = head.path = canonical(head.target)
            except PathError as error:
                read = self.relay.holder.tables.as_written(exchange)
                if read is None:
                    self.answer(Reply(error.status, error.code, "DPE", error.detail))
                    return
        exchange.path, exchange.query = read
        tables = self.relay.holder.tables
        if exchange.listener == MESH and SERVICE_TOKEN in head.named:
            refusal = prove(exchange, tables.trust, tables.parts.wall())
            if refusal is not None:
                self.answer(refusal)
                return
        plan = exchange.plan = tables.match(exchange)
        if plan is None:
            self.answer(nowhere(exchange))
            return
        if self.relay.sample is not None:
            self.relay.sample(exchange)
        if ended:
            self.is_request_whole = True
            self.request_trailers = remove(trailers, plan.untrailed) if trailers else trailers
        if first or not ended:
            exchange.bytes_in = len(first)
            if head.body > plan.max_body or exchange.bytes_in > plan.max_body:
                self.answer(too_large(plan))
                return
            self.body = CopiedBody(plan.replay, first) if plan.mirrors else Replay(plan.replay, first)
        deadline = exchange.started + plan.deadline_s
        if exchange.listener == MESH and b"meshway-deadline" in head.named:
            deadline = min(deadline, exchange.started + left_s(head.named[b"meshway-deadline"]))
        if b"grpc-timeout" in head.named:
            deadline = min(deadline, exchange.started + grpc_left_s(head.named[b"grpc-timeout"]))
        if deadline != NEVER:
            exchange.deadline = deadline
            timer = self.downstream.timer
            timer.owner, timer.due = self, deadline
            if deadline < timer.filed:
                self.relay.wheel.file(timer, deadline)
        if plan.request_filters:
            self._filter(plan, 0)
        else:
            self.enter(plan, exchange.started)
        if not ended and self._is_unsent() and self._wants_whole is None:
            self.downstream.pause_body()

    def _filter(self, plan: RoutePlan, start: int) -> None:
        """start: index of the filter to go on with; above 0 time has passed since the call began."""
        exchange = self.exchange
        index = start
        for each in plan.request_filters[start:] if start else plan.request_filters:
            verdict = each(exchange)
            index += 1
            if verdict is None:
                continue
            if isinstance(verdict, Reply):
                self.answer(verdict)
            elif isinstance(verdict, Hold):
                self._hold(verdict.wait_s, index)
            elif isinstance(verdict, Turn):
                self._wait(verdict, plan, index)
            elif isinstance(verdict, WholeBody):
                self._collect(verdict, plan, index)
            elif isinstance(verdict, Recoding):
                if self._recode(verdict, plan):
                    continue
            elif isinstance(verdict, Detour):
                verdict.begin(self, plan, index)
            else:
                spawn(self._await(verdict, plan, index), name="filter")
            return
        self.enter(plan, exchange.started if not start else self.relay.now())

    def _hold(self, wait_s: float, index: int) -> None:
        """index: of the filter to go on with."""
        self._waits_for = index
        due = self.relay.now() + wait_s
        self.relay.wheel.set(self.downstream.timer, self, min(due, self.exchange.deadline))

    def _wait(self, turn: Turn, plan: RoutePlan, index: int) -> None:
        """index: of the filter to go on with."""

        def called_on(reply: Reply | None) -> None:
            if reply is not None:
                self.answer(reply)
            else:
                self._filter(plan, index)

        self._turns += (turn,)
        turn.wait(called_on)

    async def _await(self, awaitable: Awaitable[Reply | None], plan: RoutePlan, index: int) -> None:
        try:
            verdict = await awaitable
        except Exception:
            _log.exception("a filter failed")
            verdict = _undecided()
        if self.is_over:
            return
        if verdict is not None:
            self.answer(verdict)
            return
        try:
            self._filter(plan, index)
        except Exception:
            # No protocol is above it, whose connection would end with it: the caller would wait for ever.
            _log.exception("a call failed")
            if not self.is_over:
                self.on_bad_body(_undecided())

    def enter(self, plan: RoutePlan, now: float) -> None:
        """Into the cluster: breaker and bulkhead."""
        exchange = self.exchange
        if plan.choose is None:
            self.answer(Reply(404, "no_route", "NR", "the route has no destination"))
            return
        cluster = exchange.cluster = plan.choose(exchange)
        if plan.mirrors and self.is_request_whole:
            self.downstream = mirror(self.relay, exchange, self.body, self.request_trailers, self.downstream)
        cluster.budget.count_request(now)
        if cluster.is_guarded:
            admission = cluster.admit(exchange, self._admitted)
            if admission is PENDING:
                self._cluster_state = IN_LINE
                return
            if admission is not None:
                self._refused(cluster, admission, now)
                return
            self._cluster_state = ADMITTED
        pick = cluster.first_pick
        self.attempt_on(cluster, plan, pick(exchange) if pick is not None else None, now)

    def _refused(self, cluster: Cluster, refusal: Reply, now: float) -> None:
        """An open breaker may have another service to ask; what that one says is final."""
        other = cluster.fallback
        if other is None or refusal.reason != "breaker_open":
            self.answer(refusal)
            return
        exchange = self.exchange
        exchange.mark(refusal.flag)
        exchange.cluster = other
        other.budget.count_request(now)
        admission = other.admit(exchange, self._admitted) if other.is_guarded else None
        if admission is PENDING:
            self._cluster_state = IN_LINE
        else:
            self._admitted(admission)

    def _admitted(self, refusal: Reply | None) -> None:
        """The bulkhead, later."""
        self._cluster_state = OUTSIDE
        if refusal is not None:
            self.answer(refusal)
            return
        self._cluster_state = ADMITTED
        cluster, plan = self.exchange.cluster, self.exchange.plan
        assert cluster is not None
        assert plan is not None
        pick = cluster.first_pick
        self.attempt_on(cluster, plan, pick(self.exchange) if pick is not None else None, self.relay.now())

    def attempt_on(
        self, cluster: Cluster, plan: RoutePlan, endpoint: Endpoint | None, now: float, fresh: bool = False
    ) -> None:
        """fresh: only on a new connection."""
        exchange = self.exchange
        if endpoint is None:
            self.answer(Reply(503, "no_endpoint", "UH", cluster.no_endpoint_detail, policy=f"service {cluster.name}"))
            return
        if plan.guard is not None:
            refusal = plan.guard.refusal(exchange, cluster.name, endpoint.key)
            if refusal is not None:
                if self.attempt is None:  # else another attempt may still have an answer
                    self.answer(refusal)
                return
        if exchange.attempts:
            assert exchange.endpoint is not None
            exchange.tried += (exchange.endpoint,)
            exchange.retried_at += (now,)
        elif plan.hedge is not None:
            self.further.prepare_hedges(plan.hedge, now)
        exchange.endpoint = endpoint
        exchange.attempts += 1
        attempt = self.attempt = Attempt(self, cluster, plan, endpoint, now + plan.attempt_s)
        if self._further is not None:
            self._further.begun(attempt)
        attempt.start(now, fresh)

    # What the caller does.

    def on_body(self, data: bytes) -> None:
        """More of the request's body."""
        self.exchange.bytes_in += len(data)
        if self._recoding is not None and not (data := self._recoded(data)):
            return
        attempt, body = self.attempt, self.body
        if attempt is not None and attempt.upstream is not None:
            if body is not None:
                if self._is_too_large():
                    return
                body.keep(data)
            attempt.send_body(data)
        else:
            assert body is not None
            if self._is_too_large():
                return
            body.hold(data)
            if self._wants_whole is None:
                self.downstream.pause_body()
            elif not self._wants_whole[0].is_partial:
                self._is_above(self._wants_whole[0].most)
            elif self.exchange.bytes_in > self._wants_whole[0].most:
                self.downstream.pause_body()
                self._judge_whole()

    def on_end(self, trailers: bytes) -> None:
        """The request is whole."""
        if self._recoding is not None and not self._recoding.is_whole:
            self._refuse_body("it ends too early")
            return
        self.is_request_whole = True
        if trailers and self.exchange.plan is not None:
            trailers = remove(trailers, self.exchange.plan.untrailed)
        self.request_trailers = trailers
        if self._wants_whole is not None:
            if not self.is_over:
                self._judge_whole()
            return
        if isinstance(self.body, CopiedBody) and self.exchange.cluster is not None:
            self.downstream = mirror(self.relay, self.exchange, self.body, trailers, self.downstream)
        attempt = self.attempt
        if attempt is not None and attempt.upstream is not None:
            attempt.send_end(trailers)

    def on_write_paused(self) -> None:
        """The caller does not take what we send."""
        if self.attempt is not None:
            self.attempt.pause()

    def on_write_resumed(self) -> None:
        if self.attempt is not None:
            self.attempt.resume()

    # What an attempt tells.

    def pass_head(self, head: ResponseHead, first: bytes, ended: bool, trailers: bytes, now: float) -> None:
        exchange = self.exchange
        plan = exchange.plan
        assert plan is not None
        exchange.answer = head
        exchange.first_byte = now
        exchange.bytes_out = len(first)
        if self.body is not None:
            self.body.drop()
        if plan.response_filters:
            if plan.settle is not None:
                plan.settle(exchange, head)
            self.show(head.changed(plan.response_filters), first, ended, trailers, now)
            return
        if ended:  # as `send` does: a call more would cost each answer
            self._release()
            self.relay.finish(exchange, now)
        self.downstream.send_head(exchange, head, first, ended, trailers)

    def pass_end(self, trailers: bytes, now: float) -> None:
        if isinstance(self.downstream, encoding.CHANGING):
            self.downstream.flush(trailers)
        self._finish(now)
        self.downstream.send_end(trailers)

    @property
    def further(self) -> FurtherAttempts:
        """What may follow an attempt."""
        if self._further is None:
            self._further = FurtherAttempts(self)
        return self._further

    def attempt_failed(self, attempt: Attempt, kind: str, detail: str, has_head: bool, now: float) -> None:
        """The attempt is over and closed. kind: of FAILURES."""
        if not has_head:
            self.further.follow_failure(attempt, kind, detail, now)
            return
        self.attempt = None
        cluster, plan = self.exchange.cluster, self.exchange.plan
        assert cluster is not None
        assert plan is not None
        failure = FAILURES[kind]
        policy = plan.sources.get(failure.limit, BUILT_IN) if failure.limit else f"service {cluster.name}"
        if self.tunnel is not None:
            self.tunnel.upstream_failed(failure, detail, policy, now)
        elif self.exchange.status:
            self.cut(failure.flag, failure.reason, policy, detail, now)
        else:
            self.answer(Reply(failure.status, failure.reason, failure.flag, detail, policy=policy))

    def go_on_at(self, due: float) -> None:
        """With further attempts."""
        self._waits_for = FURTHER
        self.relay.wheel.set(self.downstream.timer, self, min(due, self.exchange.deadline))

    def on_timer(self, now: float) -> None:
        """The deadline, or the end of a backoff or a hold."""
        exchange = self.exchange
        if now >= exchange.deadline:
            self._miss_deadline(now)
            return
        self.relay.wheel.set(self.downstream.timer, self, exchange.deadline)
        waits_for, self._waits_for = self._waits_for, NOTHING
        plan = exchange.plan
        assert plan is not None
        if waits_for > 0:
            self._filter(plan, waits_for)
        elif waits_for == FURTHER:
            self.further.on_timer(now)

    def _is_unsent(self) -> bool:
        """Nobody takes the request's body yet."""
        return not self.is_over and (self.attempt is None or self.attempt.upstream is None)


def _undecided() -> Reply:
    return Reply(503, "policy_unavailable", "UAEX", "a policy of this route cannot be decided now")

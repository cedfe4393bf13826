"""What a call does beyond its first attempt: it retries, hedges, or gives up.

Most calls never make one. A retry follows a failure or a listed status, after a backoff. A hedge (Dean and Barroso
2013, "The Tail at Scale") starts while an attempt is still without an answer; the first answer wins, the others are
cancelled. Both spend the cluster's budget.
"""

from typing import TYPE_CHECKING

from gateway.exchange import NEVER, Reply
from gateway.plan import BUILT_IN, HedgePlan, RetryPlan
from gateway.relay.retry import FAILURES, asked_wait_s, backoff_s, is_harmless, is_listed, is_repeatable
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.relay.attempt import Attempt
    from gateway.relay.call import Call


class FurtherAttempts:
    """Of one call; made when its first attempt has failed, or may be hedged."""

    __slots__ = ("_began", "_call", "_hedges_left", "_is_backing_off", "_retries", "_running", "_was_stale")

    def __init__(self, call: "Call") -> None:
        self._call = call
        self._retries = 0
        self._was_stale = False
        self._hedges_left = 0
        self._is_backing_off = False
        self._running: list[Attempt] = []  # of those that were told here, the oldest first
        self._began = 0.0

    def begun(self, attempt: "Attempt") -> None:
        """Another attempt is about to start."""
        self._running.append(attempt)

    def are_wanted(self, attempt: "Attempt", head: ResponseHead, retry: RetryPlan, now: float) -> bool:
        """Whether an answer whose status is in `retry` is not passed on but tried again. Spends the budget.

        While another attempt runs, that one may still bring a better answer.
        """
        call = self._call
        if not is_listed(retry, head):
            return False
        if self._is_beside_others(attempt):
            return True
        if not is_harmless(call.exchange, retry, "status"):
            return False
        asked_s = asked_wait_s(head)
        if asked_s is None:
            return False
        # Without a deadline, whoever asks for more patience than the policy has gets no second attempt.
        fits = asked_s <= retry.backoff_max_s or call.exchange.deadline != NEVER
        return fits and self._may_repeat(retry, now + asked_s, now)

    def follow_answer(self, attempt: "Attempt", head: ResponseHead, retry: RetryPlan, now: float) -> None:
        """The attempt with this answer is over, and another one is wanted."""
        if not self._goes_on_without(attempt):
            self._back_off(retry, now, asked_wait_s(head) or 0.0)

    def follow_failure(self, attempt: "Attempt", kind: str, detail: str, now: float) -> None:
        """The attempt is over without an answer. kind: of FAILURES."""
        if self._goes_on_without(attempt):
            return
        call = self._call
        exchange, failure = call.exchange, FAILURES[kind]
        plan, cluster = exchange.plan, exchange.cluster
        assert plan is not None
        assert cluster is not None
        retry = plan.retry
        if (
            retry is not None
            and failure.condition in retry.conditions
            and is_harmless(exchange, retry, failure.condition)
        ):
            if kind == "stale_connection" and not self._was_stale and call.is_body_whole:
                # Not the endpoint failed but a connection that it had done with: no backoff, and no retry is used up.
                self._was_stale = True
                call.attempt_on(cluster, plan, exchange.endpoint, now, fresh=True)
                return
            if self._may_repeat(retry, now, now):
                self._back_off(retry, now, 0.0)
                return
        flag = failure.flag if exchange.attempts == 1 else failure.flag + ",URX"
        policy = plan.sources.get(failure.limit, BUILT_IN) if failure.limit else f"service {cluster.name}"
        call.answer(Reply(failure.status, failure.reason, flag, detail, policy=policy))

    def _may_repeat(self, retry: RetryPlan, begins: float, now: float) -> bool:
        call = self._call
        cluster = call.exchange.cluster
        assert cluster is not None
        return (
            self._retries < retry.max_retries
            and call.is_body_whole
            and begins < call.exchange.deadline
            and cluster.budget.spend(now)
        )

    def _back_off(self, retry: RetryPlan, now: float, at_least_s: float) -> None:
        call = self._call
        self._hedges_left = 0
        self._is_backing_off = True
        wait_s = max(at_least_s, backoff_s(retry, self._retries, call.relay.random()))
        self._retries += 1
        if not call.is_request_whole:
            call.downstream.pause_body()
        call.go_on_at(now + wait_s)

    # Attempts beside each other.

    def prepare_hedges(self, hedge: HedgePlan, now: float) -> None:
        """The call's first attempt is about to start."""
        self._began = now
        exchange = self._call.exchange
        if not is_repeatable(exchange) or exchange.head.upgrade:
            return
        wait_s = hedge.after_s(now)
        if wait_s != NEVER:
            self._hedges_left = hedge.most
            self._call.go_on_at(now + wait_s)

    def _hedge(self, now: float) -> None:
        """One more attempt beside those that run: on an endpoint that has none, of a request that can be sent again."""
        call, exchange = self._call, self._call.exchange
        plan, cluster = exchange.plan, exchange.cluster
        assert plan is not None
        assert cluster is not None
        assert plan.hedge is not None
        left, self._hedges_left = self._hedges_left - 1, 0
        if exchange.status or not call.is_request_whole or not call.is_body_whole:
            return
        another = cluster.pick_untried(exchange)
        if another is None or not cluster.has_spare_room or not cluster.budget.spend(now):
            return
        if left:
            self._hedges_left = left
            call.go_on_at(now + plan.hedge.after_s(now))
        call.attempt_on(cluster, plan, another, now)

    def won_by(self, attempt: "Attempt", hedge: HedgePlan, now: float) -> None:
        """It has the answer. The others are given up, which says nothing about their endpoints."""
        call, exchange = self._call, self._call.exchange
        self._hedges_left = 0
        if hedge.learn is not None:
            hedge.learn(now - self._began, now)
        for other in self._running:
            if other is not attempt:
                other.cancel("cancelled", now)
        self._running = [attempt]
        if call.attempt is not attempt:
            assert exchange.endpoint is not None
            exchange.tried += (exchange.endpoint,)
            exchange.endpoint = attempt.endpoint
            call.attempt = attempt

    def cancel(self, outcome: str, now: float) -> None:
        """outcome: of the oldest; who was asked later had less time."""
        for attempt in self._running:
            attempt.cancel(outcome, now)
            outcome = "cancelled"
        self._running = []

    def _is_beside_others(self, attempt: "Attempt") -> bool:
        return any(other is not attempt for other in self._running)

    def _goes_on_without(self, attempt: "Attempt") -> bool:
        """The attempt is over. Whether others run."""
        if attempt in self._running:
            self._running.remove(attempt)
        self._call.attempt = self._running[-1] if self._running else None
        return bool(self._running)

    def on_timer(self, now: float) -> None:
        """The backoff is over, or the time after which to hedge."""
        if not self._is_backing_off:
            if self._hedges_left:
                self._hedge(now)
            return
        self._is_backing_off = False
        exchange = self._call.exchange
        plan, cluster = exchange.plan, exchange.cluster
        assert plan is not None
        assert cluster is not None
        same = plan.retry is not None and plan.retry.same_endpoint
        self._call.attempt_on(cluster, plan, exchange.endpoint if same else cluster.pick_another(exchange), now)

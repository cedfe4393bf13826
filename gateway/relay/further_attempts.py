"""What a call does beyond its first attempt: it retries, hedges, or gives up.

Most calls never make one. A retry follows a failure or a listed status, after a backoff. A hedge (Dean and Barroso
2013, "The Tail at Scale") starts while an attempt is still without an answer; the first answer wins, the others are
cancelled. Both spend the cluster's budget.
"""

from typing import TYPE_CHECKING

from gateway.exchange import NEVER, Reply
from gateway.plan import BUILT_IN, RetryPlan
from gateway.relay.retry import FAILURES, backoff_s, is_harmless, is_listed, retry_after_s
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.relay.call import Call


class FurtherAttempts:
    """Of one call; made when its first attempt has failed."""

    __slots__ = ("_call", "_retries", "_was_stale")

    def __init__(self, call: "Call") -> None:
        self._call = call
        self._retries = 0
        self._was_stale = False

    def are_wanted(self, head: ResponseHead, retry: RetryPlan, now: float) -> bool:
        """Whether an answer whose status is in `retry` is not passed on but tried again. Spends the budget."""
        call = self._call
        if not is_listed(retry, head) or not is_harmless(call.exchange, retry, "status"):
            return False
        asked_s = retry_after_s(head.named.get(b"retry-after"))
        # Without a deadline, whoever asks for more patience than the policy has gets no second attempt.
        fits = asked_s <= retry.backoff_max_s or call.exchange.deadline != NEVER
        return fits and self._may_repeat(retry, now + asked_s, now)

    def follow_answer(self, head: ResponseHead, retry: RetryPlan, now: float) -> None:
        """The attempt with this answer is over, and another one is wanted."""
        self._back_off(retry, now, retry_after_s(head.named.get(b"retry-after")))

    def follow_failure(self, kind: str, detail: str, now: float) -> None:
        """The attempt is over without an answer. kind: of FAILURES."""
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
        call.attempt = None
        wait_s = max(at_least_s, backoff_s(retry, self._retries, call.relay.random()))
        self._retries += 1
        if not call.is_request_whole:
            call.downstream.pause_body()
        call.go_on_at(now + wait_s)

    def on_timer(self, now: float) -> None:
        """The backoff is over."""
        exchange = self._call.exchange
        plan, cluster = exchange.plan, exchange.cluster
        assert plan is not None
        assert cluster is not None
        same = plan.retry is not None and plan.retry.same_endpoint
        self._call.attempt_on(cluster, plan, exchange.endpoint if same else cluster.pick_another(exchange), now)

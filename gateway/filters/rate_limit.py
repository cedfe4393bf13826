"""Refuses a call whose key has spent its limit: 429 with Retry-After, or has it wait, and says in every answer how much
is left. Of several limits all are checked before any is spent."""

import math
from collections.abc import Callable, Sequence

from gateway.exchange import Exchange, Reply, Turn
from gateway.filters.limit import AppliedLimit, Limit, quota_of
from gateway.limits.line import Ticket
from gateway.limits.token_bucket import TokenBuckets
from gateway.plan import Forecast, Parts, RequestFilter

Random = Callable[[], float]


def compile_filter(limits: Sequence[AppliedLimit], parts: Parts) -> RequestFilter:
    if len(limits) == 1 and limits[0].limit.policy.mode == "enforce":
        limit = limits[0].limit
        if limit.line is None and isinstance(limit.counts, TokenBuckets):
            return _compile_bucket(limits[0], limit.counts, parts)
        return _compile_one(limits[0], parts)
    now_of, random = parts.now, parts.random

    def rate_limits(exchange: Exchange) -> Reply | Turn | None:
        now = now_of()
        admitted: list[tuple[Limit, str]] = []
        waiting: list[tuple[Limit, str]] = []
        for applied in limits:
            limit, key = applied.limit, applied.key_of(exchange)
            if key is None:
                if limit.policy.on_missing_key == "skip":
                    continue
                wait_s, ahead = math.inf, 0
            else:
                ahead = limit.line.count(key) if limit.line is not None else 0
                wait_s = limit.counts.wait_s(key, now, ahead)
            if wait_s == 0.0 and not ahead and key is not None:
                admitted.append((limit, key))
            elif limit.policy.mode == "audit":
                if key is not None and limit.is_unsure(wait_s):
                    admitted.append((limit, key))
                else:
                    limit.would_refuse += 1
            elif key is not None and limit.has_room(key, wait_s):
                waiting.append((limit, key))
            else:
                return refusal(limit, key, wait_s, now, random)
        for limit, key in admitted:
            limit.counts.spend(key, now)
        if waiting:
            return Standing(exchange, admitted, waiting, parts)
        _tell(exchange, admitted, now)
        return None

    return rate_limits


def _compile_bucket(applied: AppliedLimit, buckets: TokenBuckets, parts: Parts) -> RequestFilter:
    """A bucket of this worker alone: what taking answers is all that is told."""
    limit, key_of, now_of, random = applied.limit, applied.key_of, parts.now, parts.random
    skips = limit.policy.on_missing_key == "skip"

    def rate_limit(exchange: Exchange) -> Reply | None:
        key = key_of(exchange)
        if key is None:
            return None if skips else refusal(limit, None, math.inf, 0.0, random)
        now = now_of()
        full_in_s = buckets.take(key, now)
        if full_in_s < 0.0:
            return refusal(limit, key, -full_in_s, now, random)
        exchange.added += limit.fields(buckets.burst - full_in_s * buckets.rate, full_in_s)
        return None

    return rate_limit


def _compile_one(applied: AppliedLimit, parts: Parts) -> RequestFilter:
    """The limit that most rules have."""
    limit, key_of, now_of, random = applied.limit, applied.key_of, parts.now, parts.random
    counts, line, fields_now = limit.counts, limit.line, limit.fields_now
    skips, take = limit.policy.on_missing_key == "skip", limit.counts.take

    def rate_limit(exchange: Exchange) -> Reply | Turn | None:
        key = key_of(exchange)
        if key is None:
            return None if skips else refusal(limit, None, math.inf, 0.0, random)
        now = now_of()
        ahead = line.count(key) if line is not None and line.queues else 0
        wait_s = counts.wait_s(key, now, ahead) if ahead else -take(key, now)
        if wait_s <= 0.0 and not ahead:
            exchange.added += fields_now(key, now)
            return None
        if limit.has_room(key, wait_s):
            return Standing(exchange, [], [(limit, key)], parts)
        return refusal(limit, key, wait_s, now, random)

    return rate_limit


class Standing(Turn):
    """A call in line for one limit or several; it goes on when all of them have called on it.

    Limits that had room have counted it already, and keep it when it leaves.
    """

    __slots__ = ("_admitted", "_exchange", "_parts", "_resume", "_tickets", "_waiting")

    def __init__(
        self, exchange: Exchange, admitted: list[tuple[Limit, str]], waiting: list[tuple[Limit, str]], parts: Parts
    ) -> None:
        self._exchange = exchange
        self._admitted = admitted
        self._waiting = waiting
        self._parts = parts
        self._tickets: dict[Limit, Ticket] = {}

    def wait(self, resume: Callable[[Reply | None], None]) -> None:
        self._resume = resume
        now = self._parts.now()
        for limit, key in self._waiting:
            assert limit.line is not None
            self._tickets[limit] = limit.line.join(key, now, self._hearing(limit, key))

    def leave(self) -> None:
        while self._tickets:
            limit, ticket = self._tickets.popitem()
            assert limit.line is not None
            limit.line.leave(ticket)

    def _hearing(self, limit: Limit, key: str) -> Callable[[float], None]:
        def called_on(wait_s: float) -> None:
            self._tickets.pop(limit, None)
            now = self._parts.now()
            if wait_s > 0.0:
                self.leave()
                self._resume(refusal(limit, key, wait_s, now, self._parts.random))
                return
            self._admitted.append((limit, key))
            if not self._tickets:
                _tell(self._exchange, self._admitted, now)
                self._resume(None)

        return called_on


def _tell(exchange: Exchange, admitted: list[tuple[Limit, str]], now: float) -> None:
    # The tightest first: whoever reads one pair only reads the one that will stop him.
    admitted.sort(key=lambda pair: pair[0].counts.left(pair[1], now))
    for limit, key in admitted:
        if limit.policy.mode == "enforce":
            exchange.added += limit.fields_now(key, now)


def refusal(limit: Limit, key: str | None, wait_s: float, now: float, random: Random) -> Reply:
    status, policy = limit.policy.response.status, f"RateLimit {limit.title}"
    if key is None:
        detail = f"rate limit {limit.title} counts by what this call lacks"
        return Reply(status, "rate_limited", "RL", detail, policy=policy)
    if limit.unavailable:
        detail = f"rate limit {limit.title} cannot be counted with others, and refuses then: {limit.unavailable}"
        return Reply(503, "policy_unavailable", "UAEX", detail, fields=b"Retry-After: 1\r\n", policy=policy)
    fields = b""
    if limit.policy.response.headers:
        # Up to a tenth later, so that all who were refused together do not come back together.
        retry_after_s = math.ceil(wait_s * (1.0 + 0.1 * random()))
        fields = b"Retry-After: %d\r\n%b" % (max(retry_after_s, 1), limit.fields_now(key, now))
    detail = f"rate limit {limit.title} is spent for now"
    body = limit.policy.response.body
    if body is not None:
        text = b"Content-Type: text/plain; charset=utf-8\r\n"
        return Reply(status, "rate_limited", "RL", detail, fields=text + fields, body=body.encode(), policy=policy)
    return Reply(status, "rate_limited", "RL", detail, fields=fields, policy=policy, members=limit.members)


def compile_forecast(limits: Sequence[AppliedLimit], parts: Parts) -> Callable[[Exchange], Sequence[Forecast]]:
    """How each limit stands for a call, without counting it."""
    return lambda exchange: [_forecast(applied, exchange, parts) for applied in limits]


def _forecast(applied: AppliedLimit, exchange: Exchange, parts: Parts) -> Forecast:
    limit, key, now = applied.limit, applied.key_of(exchange), parts.now()
    document = f"RateLimit {limit.title}"
    if key is None and limit.policy.on_missing_key == "skip":
        return Forecast("pass", "the call lacks what it counts by, and is not counted", document)
    if key is None:
        wait_s, detail = math.inf, "the call lacks what it counts by"
    else:
        ahead = limit.line.count(key) if limit.line is not None else 0
        wait_s = limit.counts.wait_s(key, now, ahead)
        left, quota = limit.counts.left(key, now), quota_of(limit.policy)[0]
        whole_s = limit.counts.reset_s(key, now)
        detail = f"{int(left + 1e-6)} of {quota} left in this worker, whole again in {whole_s:.1f} s"
        if wait_s == 0.0 and not ahead:
            return Forecast("pass", detail, document)
        if limit.policy.mode == "enforce" and limit.has_room(key, wait_s):
            return Forecast("delay", f"{detail}; waits at least {wait_s:.2f} s behind {ahead} others", document)
    if limit.policy.mode == "audit":
        return Forecast("pass", f"{detail}; would be refused, but it only audits", document)
    return Forecast("refuse", detail, document, refusal(limit, key, wait_s, now, lambda: 0.0))

"""Refuses a call whose key has spent its limit: 429 with Retry-After, or has it wait, and says in every answer how much
is left. Of several limits all are checked before any is spent."""

import math
from collections.abc import Callable, Sequence

from gateway.exchange import Exchange, Reply
from gateway.filters.limit import AppliedLimit, Counted, Limit
from gateway.filters.limit_terms import parts_of, seconds, stand_of
from gateway.filters.standing import Standing, tell
from gateway.limits.assigned_quota import AssignedQuota
from gateway.limits.shared import Shared
from gateway.limits.token_bucket import TokenBuckets
from gateway.plan import Forecast, Parts, RequestFilter
from gateway.verdict import Turn


def compile_filter(limits: Sequence[AppliedLimit], parts: Parts) -> RequestFilter:
    if len(limits) == 1 and limits[0].limit.policy.mode == "enforce" and limits[0].limit.is_plain:
        limit = limits[0].limit
        if limit.line is None and isinstance(limit.counts, TokenBuckets):
            return _compile_bucket(limits[0], limit.counts, parts)
        return _compile_one(limits[0], parts)
    now_of, random = parts.now, parts.random
    stays = any(of.limit.running or of.limit.answer_cost or of.limit.end_cost for of in limits)

    def rate_limits(exchange: Exchange) -> Reply | Turn | None:
        now = now_of()
        admitted: list[Counted] = []
        waiting: list[Counted] = []
        for applied in limits:
            limit = applied.limit
            if limit.concerns is not None and not limit.concerns(exchange):
                continue
            key, cost = applied.key_of(exchange), limit.cost_of(exchange)
            if key is None:
                if limit.policy.on_missing_key == "skip":
                    continue
                wait_s, ahead = math.inf, 0
            else:
                ahead = limit.line.cost(key) if limit.line is not None else 0
                wait_s = limit.counts.wait_s(key, now, ahead, cost)
            if wait_s == 0.0 and not ahead and key is not None:
                admitted.append(Counted(limit, key, cost))
            elif limit.policy.mode == "audit":
                if key is not None and limit.is_unsure(wait_s):
                    admitted.append(Counted(limit, key, cost))
                else:
                    limit.would_refuse += 1
            elif key is not None and limit.has_room(key, wait_s):
                waiting.append(Counted(limit, key, cost))
            else:
                return limit.refusal(key, wait_s, now, random)
        for limit, key, cost in admitted:
            limit.counts.spend(key, now, cost)
        if waiting or (stays and admitted):
            return Standing(exchange, admitted, waiting, parts)
        tell(exchange, admitted, now)
        return None

    return rate_limits


def _compile_bucket(applied: AppliedLimit, buckets: TokenBuckets, parts: Parts) -> RequestFilter:
    """A bucket of this worker alone: what taking answers is all that is told."""
    limit, key_of, now_of, random = applied.limit, applied.key_of, parts.now, parts.random
    skips = limit.policy.on_missing_key == "skip"

    def rate_limit(exchange: Exchange) -> Reply | None:
        key = key_of(exchange)
        if key is None:
            return None if skips else limit.refusal(None, math.inf, 0.0, random)
        now = now_of()
        full_in_s = buckets.take(key, now)
        if full_in_s < 0.0:
            return limit.refusal(key, -full_in_s, now, random)
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
            return None if skips else limit.refusal(None, math.inf, 0.0, random)
        now = now_of()
        ahead = line.count(key) if line is not None and line.queues else 0
        wait_s = counts.wait_s(key, now, ahead) if ahead else -take(key, now)
        if wait_s <= 0.0 and not ahead:
            exchange.added += fields_now(key, now)
            return None
        if limit.has_room(key, wait_s):
            return Standing(exchange, [], [Counted(limit, key, 1)], parts)
        return limit.refusal(key, wait_s, now, random)

    return rate_limit


def compile_forecast(limits: Sequence[AppliedLimit], parts: Parts) -> Callable[[Exchange], Sequence[Forecast]]:
    """How each limit stands for a call, without counting it."""
    return lambda exchange: [_forecast(applied, exchange, parts) for applied in limits]


def _forecast(applied: AppliedLimit, exchange: Exchange, parts: Parts) -> Forecast:
    limit, now = applied.limit, parts.now()
    document = f"RateLimit {limit.title}"
    if limit.concerns is not None and not limit.concerns(exchange):
        return Forecast("pass", "none of its matches holds, so the call is not counted", document)
    key, cost = applied.key_of(exchange), limit.cost_of(exchange)
    if key is None and limit.policy.on_missing_key == "skip":
        return Forecast("pass", "the call lacks what it counts by, and is not counted", document)
    if key is None:
        return _refused(limit, None, math.inf, f"the call lacks {parts_of(limit.policy)}", parts)
    counts, line = limit.counts, limit.line
    if isinstance(counts, Shared):
        counts.look(key, now)  # for whoever tells it again when that is answered
    ahead = line.cost(key) if line is not None else 0
    wait_s = counts.wait_s(key, now, ahead, cost)
    detail = stand_of(limit.policy, counts, key, now) + _counts_for(limit, cost)
    is_there = wait_s == 0.0 or (limit.is_unsure(wait_s) and counts.left(key, now) >= cost)
    if is_there and not ahead:
        return Forecast("pass", detail, document)
    if limit.policy.max_wait and limit.policy.mode == "enforce" and limit.has_room(key, wait_s):
        others = line.count(key) if line is not None else 0
        return Forecast("delay", f"{detail}; waits at least {seconds(wait_s)} behind {others} others", document)
    if isinstance(counts, AssignedQuota) and counts.others(key):
        return Forecast("may refuse", f"{detail}; {counts.others(key)} of it are held by others", document)
    return _refused(limit, key, wait_s, detail, parts)


def _refused(limit: Limit, key: str | None, wait_s: float, detail: str, parts: Parts) -> Forecast:
    document = f"RateLimit {limit.title}"
    if limit.policy.mode == "audit":
        return Forecast("pass", f"{detail}; would be refused, but it only audits", document)
    reply = limit.refusal(key, wait_s, parts.now(), lambda: 0.0)
    if wait_s == math.inf:
        more = ""
    elif limit.running is not None:
        more = "; there is room when one of them ends"
    else:
        more = f"; there is more in {seconds(wait_s)}"
    return Forecast("refuse", f"{detail}: {reply.status}{more}", document, reply)


def _counts_for(limit: Limit, cost: int) -> str:
    counts_for = f"; it counts for {cost}" if cost != 1 else ""
    return counts_for + ("; its answer may say that it counts for more" if limit.answer_cost is not None else "")

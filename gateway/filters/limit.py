"""One RateLimit as rules apply it: what it counts by, who waits for it, and what it tells in an answer.

Fields: RateLimit and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers; q, r in calls, w, t in seconds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.exchange import Exchange, Reply
from gateway.filters.counting import assigned_counts, local_counts, quota_of
from gateway.filters.limit_terms import parts_of, terms_of
from gateway.limits.algorithm import Algorithm
from gateway.limits.assigned_in_flight import AssignedInFlight
from gateway.limits.cost import compile_answer_cost, compile_cost, compile_end_cost
from gateway.limits.in_flight import InFlight
from gateway.limits.line import Line
from gateway.limits.shared import ANSWER_S, Shared
from gateway.plan import Parts
from meshway.model.rate_limit import RateLimit

QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"

_LONGEST_SPREAD_S: Final = 60.0
_GRAIN: Final = 1e-6

KeyOf = Callable[[Exchange], str | None]
Concerns = Callable[[Exchange], bool]
FieldsOf = Callable[[float, float], bytes]


class Limit:
    """One RateLimit at one of its targets, shared by all plans it applies to.

    policy: the document. name: as the fields of an answer have it; title: as people are told, `namespace/name`.
    counts: what it counts by. fields: the two of an answer, by what is left and when all is there again, b"" where the
    policy wants none; fields_now: as it stands, by key and time. line: of those who wait; None: whoever is above it is
    refused. would_refuse: counted in audit mode. members: of the problem document of a refusal, as the draft has it
    (§ quota exceeded). concerns: the calls that it counts; None: all. cost_of: what one counts for, as far as that is
    known when it comes; answer_cost, end_cost: what its answer, and its whole body, say of it. running: counts calls
    until they are over. counted: calls of which an answer must still be heard, with their keys.
    """

    __slots__ = (
        "_terms", "answer_cost", "concerns", "cost_of", "counted", "counts", "end_cost", "fields", "fields_now", "line",
        "members", "name", "policy", "running", "title", "would_refuse",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        policy: RateLimit,
        parts: Parts,
        title: str = "",
        place: str = "",
        concerns: Concerns | None = None,
    ) -> None:
        self.name = name
        self.title = title or name
        self.policy = policy
        self.concerns = concerns
        self.cost_of = compile_cost(policy.cost)
        self.answer_cost = compile_answer_cost(policy.cost)
        self.end_cost = compile_end_cost(policy.cost)
        self.counted: dict[Exchange, str] = {}
        self._terms = f"rate limit {self.title} ({terms_of(policy)})"
        self.members = {"type": QUOTA_EXCEEDED, "violated-policies": [name]}
        self.would_refuse = 0
        self.counts: Algorithm
        self.line: Line | None = None
        desk, waits_s = parts.desks.get(policy.scope), float(policy.max_wait)
        if desk is not None:
            self.counts = assigned = assigned_counts(policy, f"{self.title}@{place}", desk, parts)
            if policy.mode == "enforce":
                self.line = assigned.line
        else:
            self.counts = local_counts(policy, parts)
            if waits_s and policy.mode == "enforce":
                is_paced = policy.in_flight is None
                self.line = Line(self.counts, waits_s, policy.max_queue, parts.advancing, is_paced=is_paced)
        self.running = self.counts if isinstance(self.counts, InFlight | AssignedInFlight) else None
        self.fields = self._compile_fields()
        self.fields_now = self._compile_fields_now()

    @property
    def is_plain(self) -> bool:
        """It is done with a call as soon as it has let it pass, and all calls are the same to it."""
        return self.policy.cost == 1 and self.running is None and self.concerns is None

    def _compile_fields(self) -> FieldsOf:
        if not self.policy.response.headers:
            return lambda _left, _reset_s: b""
        quoted, (quota, window_s) = b'"%b"' % self.name.encode(), quota_of(self.policy)
        window = b";w=%d" % window_s if window_s else b""
        unit = b';qu="concurrent-requests"' if self.running is not None else b""
        begin = b"RateLimit-Policy: %b;q=%d%b%b\r\nRateLimit: %b;r=" % (quoted, quota, window, unit, quoted)
        ceil = math.ceil
        if self.running is not None:  # nobody knows when a running call will end
            return lambda left, _reset_s: b"%b%d\r\n" % (begin, left)
        # The grain keeps a bucket with exactly n tokens from being shown as n - 1.
        return lambda left, reset_s: b"%b%d;t=%d\r\n" % (begin, left + _GRAIN, ceil(reset_s))

    def _compile_fields_now(self) -> Callable[[str, float], bytes]:
        fields, counts = self.fields, self.counts
        if isinstance(counts, Shared):
            stand = counts.stand
            return lambda key, now: fields(*stand(key, now))
        left, reset_s = counts.left, counts.reset_s
        return lambda key, now: fields(left(key, now), reset_s(key, now))

    @property
    def unavailable(self) -> str:
        """Why nobody may pass now, "" = the count decides."""
        return self.counts.unavailable if isinstance(self.counts, Shared) else ""

    def tallies(self) -> tuple[int, ...]:
        """Since it began: calls it would have refused, calls decided without the others, and ahead of an answer; keys
        that were dropped."""
        counts = self.counts
        alone = late = 0
        if isinstance(counts, Shared):
            alone, late = counts.alone.decided, counts.late
        return self.would_refuse, alone, late, counts.dropped

    def is_unsure(self, wait_s: float) -> bool:
        """Whether it is not a refusal but an answer that is waited for."""
        return isinstance(self.counts, Shared) and wait_s <= ANSWER_S

    def has_room(self, key: str, wait_s: float) -> bool:
        """Whether a call that must wait so long may stand in line."""
        line = self.line
        return line is not None and wait_s <= line.patience_s and line.count(key) < line.most

    def refusal(self, key: str | None, wait_s: float, now: float, random: Callable[[], float]) -> Reply:
        """key None: the call lacks a part of it. wait_s: inf: it can never pass."""
        if self.policy.quota is not None:
            return self._refusal("quota_exceeded", key, wait_s, now, random)
        return self._refusal("rate_limited", key, wait_s, now, random)

    def _refusal(self, reason: str, key: str | None, wait_s: float, now: float, random: Callable[[], float]) -> Reply:
        response, policy = self.policy.response, f"RateLimit {self.title}"
        if key is None:
            detail = f"{self._terms}: the call lacks {parts_of(self.policy)}"
            return Reply(response.status, reason, "RL", detail, policy=policy)
        if self.unavailable:
            detail = f"{self._terms} cannot be counted with others, and refuses then: {self.unavailable}"
            return Reply(503, "policy_unavailable", "UAEX", detail, fields=b"Retry-After: 1\r\n", policy=policy)
        detail = f"{self._terms} is spent for now"
        fields = b""
        if wait_s == math.inf:
            detail = f"{self._terms} never allows as much at once as this call counts for"
        elif response.headers:
            # Up to a tenth later, so that all who were refused together do not come back together.
            wait_s += min(0.1 * wait_s, _LONGEST_SPREAD_S) * random()
            fields = b"Retry-After: %d\r\n" % max(math.ceil(wait_s), 1)
        if response.headers:
            fields += self.fields_now(key, now)
        if response.body is not None:
            text, body = b"Content-Type: text/plain; charset=utf-8\r\n", response.body.encode()
            return Reply(response.status, reason, "RL", detail, fields=text + fields, body=body, policy=policy)
        return Reply(response.status, reason, "RL", detail, fields=fields, policy=policy, members=self.members)


class Counted(NamedTuple):
    """A call at a limit: its key, and what it counts for."""

    limit: Limit
    key: str
    cost: int


@dataclass(slots=True, frozen=True)
class AppliedLimit:
    """A limit in one rule. key_of gives None when a part is missing and the policy does not say `shared`."""

    limit: Limit
    key_of: KeyOf

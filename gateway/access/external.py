"""Has another service say whether a call may go on: external authorisation, whoever is asked in whichever protocol.

Asked of calls that no rule refuses, in the loop's callbacks. A failure is no answer: by default it refuses (503).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.access.checking import Asked, Policy, Question, Verdict
from gateway.exchange import Exchange, Reply, WholeBody
from gateway.limits.key import compile_key
from gateway.plan import FilterStep, Forecast, RequestFilter
from gateway.routing.predicates import Test
from gateway.verdict import Turn
from meshway.http1.fields import dashed, remove_alike
from meshway.http1.message import NO_BODY

STEP: Final = "external authorisation"
CHECKS: Final = "meshway_external_checks_total"
WOULD_DENY: Final = "meshway_access_would_deny_total"
MOST_KEPT: Final = 10_000  # answers of a worker, a document
# Of a key these are read here, all others as a RateLimit's.
_OWN_PARTS: Final[dict[str, Callable[[Exchange], bytes]]] = {
    "host": lambda exchange: exchange.authority,
    "path": lambda exchange: exchange.path,
    "query": lambda exchange: exchange.query,
}
Counted = Callable[[str], None]


@dataclass(slots=True)
class Check:
    """One document's. asks: whether a call is asked of, None: each is. is_enforced: else it refuses nobody, and
    counts."""

    policy: Policy
    asked: Asked
    asks: Test | None = None
    is_enforced: bool = True

    def step(self) -> FilterStep:
        return FilterStep(STEP, "", self._compile(), self._forecast)

    def _compile(self) -> RequestFilter:
        spec, asks = self.policy.spec, self.asks
        taken_out = dashed([name.lower().encode() for name in spec.upstream_headers or ()])
        begin = self._beginning()
        wanted = spec.request_body

        def check(exchange: Exchange) -> Reply | Turn | WholeBody | None:
            if taken_out:
                # What the service believes of the answer it must not get from the caller.
                exchange.block = remove_alike(exchange.block, taken_out)
            if asks is not None and not asks(exchange):
                return None
            if wanted is None:
                return begin(exchange, None, False)
            if exchange.head.body == NO_BODY:
                return begin(exchange, b"", False)
            return collected

        if wanted is None:
            return check
        most = int(wanted.max)

        def judge(exchange: Exchange, body: bytes) -> Reply | Turn | None:
            return begin(exchange, body[:most], exchange.bytes_in > most)

        collected = WholeBody(most, judge, is_partial=wanted.partial)
        return check

    def _beginning(self) -> Callable[[Exchange, bytes | None, bool], Reply | Turn | None]:
        """What begins the question of one call, or knows the answer."""
        cache = self.policy.spec.cache
        asked, counted = self.asked, self._counting()
        if cache is None:
            settle = self._settle

            def ask(exchange: Exchange, body: bytes | None, is_cut: bool) -> Turn:
                question = asked.question(exchange, body, is_cut)
                return Asking(self, question, lambda verdict: settle(exchange, verdict), counted)

            return ask
        kept: dict[bytes, Verdict] = {}
        key_of, now = self._key(), self.policy.parts.now
        ttl, deny_ttl = float(cache.ttl), float(cache.deny_ttl)

        def ask_once(exchange: Exchange, body: bytes | None, is_cut: bool) -> Reply | Turn | None:
            question = asked.question(exchange, body, is_cut)
            key = key_of(exchange, question)
            known = kept.get(key)
            if known is not None and known.until > now():
                counted("remembered")
                return self._settle(exchange, known)

            def judged(verdict: Verdict) -> Reply | None:
                life_s = ttl if verdict.reply is None else deny_ttl
                if life_s and not verdict.is_failure:
                    if len(kept) >= MOST_KEPT:
                        kept.clear()
                    kept[key] = verdict._replace(until=now() + life_s)
                return self._settle(exchange, verdict)

            return Asking(self, question, judged, counted)

        return ask_once

    def _key(self) -> Callable[[Exchange, Question], bytes]:
        """By what two calls are the same."""
        cache = self.policy.spec.cache
        assert cache is not None
        if not cache.key:
            return lambda _, question: question.sent()
        own = [_OWN_PARTS[part] for part in cache.key if part in _OWN_PARTS]
        others = [part for part in cache.key if part not in _OWN_PARTS]
        of_others = compile_key(others, service="", route="", rule="", shares_missing=True)

        def key(exchange: Exchange, _: Question) -> bytes:
            read = [part(exchange) for part in own]
            lengths = b",".join([b"%d" % len(part) for part in read])
            return b"\0".join((lengths, *read, (of_others(exchange) or "").encode("utf-8", "surrogatepass")))

        return key

    def _settle(self, exchange: Exchange, verdict: Verdict) -> Reply | None:
        if verdict.metadata:
            exchange.metadata += b',"authorization":' + verdict.metadata
        if verdict.reply is None:
            if verdict.change is not None:
                verdict.change(exchange)
            return None
        if self.is_enforced:
            return verdict.reply
        counters = self.policy.parts.counters
        if counters is not None:
            counters.add(counters.counter(WOULD_DENY, policy=self.policy.title.partition(" ")[2]))
        return None

    def _counting(self) -> Counted:
        counters, policy = self.policy.parts.counters, self.policy.title.partition(" ")[2]
        if counters is None:
            return lambda _: None
        names = ("allowed", "denied", "failed", "remembered")
        cells = {name: counters.counter(CHECKS, policy=policy, outcome=name) for name in names}
        return lambda outcome: counters.add(cells[outcome])

    def failed(self, why: str) -> Verdict:
        """Nobody decided."""
        title = self.policy.title
        if self.policy.spec.on_failure == "allow":
            return Verdict(None, is_failure=True)
        detail = f"{title} cannot be decided now: {why}"
        return Verdict(Reply(503, "policy_unavailable", "UAEX", detail, policy=title), is_failure=True)

    def _forecast(self, exchange: Exchange) -> Sequence[Forecast]:
        """For whoever explains a call: nobody is asked."""
        if self.asks is not None and not self.asks(exchange):
            return [Forecast("pass", f"{self.asked.name} is not asked of such calls", self.policy.title)]
        return [Forecast("may refuse", f"{self.asked.name} is asked", self.policy.title)]


class Asking(Turn):
    """A call that waits for the answer."""

    __slots__ = ("_check", "_counted", "_judged", "_question", "_take_back")

    def __init__(
        self, check: Check, question: Question, judged: Callable[[Verdict], Reply | None], counted: Counted
    ) -> None:
        self._check = check
        self._question = question
        self._judged = judged
        self._counted = counted
        self._take_back: Callable[[], None] | None = None

    def wait(self, resume: Callable[[Reply | None], None]) -> None:
        check = self._check

        def told(verdict: Verdict | str) -> None:
            if isinstance(verdict, str):
                self._counted("failed")
                verdict = check.failed(verdict)
            else:
                self._counted("allowed" if verdict.reply is None else "denied")
            resume(self._judged(verdict))

        self._take_back = self._question.ask(float(check.policy.spec.timeout), told)

    def leave(self) -> None:
        if self._take_back is not None:
            self._take_back()

"""Has another service say whether a call may go on: external authorisation over HTTP, as Envoy's and Traefik's.

Asked of calls that no rule refuses, in the loop's callbacks. A failure is no answer: by default it refuses (503).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.exchange import Exchange, Reply, Turn
from gateway.plan import FilterStep, Forecast, Parts, RequestFilter
from gateway.relay.inquiry import Answer, Inquiry
from gateway.routing.path import escaped
from gateway.upstream.cluster import Cluster
from meshway.http1.fields import find_all, pairs, remove_alike
from meshway.http1.message import bare_head
from meshway.model.external_check import ExternalCheck

if TYPE_CHECKING:
    from gateway.upstream.pool import Pool

STEP: Final = "external authorisation"
CHECKS: Final = "meshway_external_checks_total"
WOULD_DENY: Final = "meshway_access_would_deny_total"
MOST_KEPT: Final = 10_000  # answers of a worker, a document
# The gateway writes these of each request anew.
_WRITTEN: Final = frozenset({b"x-request-id", b"traceparent"})
_CONTENT_TYPE: Final = b"content-type"


class Verdict(NamedTuple):
    """reply: None lets the call pass, with lines for the service. until: monotonic seconds."""

    reply: Reply | None
    lines: bytes = b""
    until: float = 0.0


@dataclass(slots=True)
class Check:
    """One document's. title: `AccessPolicy shop/edge`. is_enforced: else it refuses nobody, and counts."""

    title: str
    spec: ExternalCheck
    cluster: Cluster
    parts: Parts
    is_enforced: bool = True

    def step(self) -> FilterStep:
        return FilterStep(STEP, "", self.compile(), self._forecast)

    def compile(self) -> RequestFilter:
        cache = self.spec.cache
        kept: dict[bytes, Verdict] = {}
        taken_out = frozenset(name.lower().encode() for name in self.spec.upstream_headers)
        ask = self._asking()
        now = self.parts.now
        counted = self._counting()

        def check(exchange: Exchange) -> Reply | Turn | None:
            question = ask(exchange)
            if taken_out:
                # What the service believes of the answer it must not get from the caller.
                exchange.block = remove_alike(exchange.block, taken_out)
            key = b"" if cache is None else _key(question)
            known = kept.get(key) if key else None
            if known is not None and known.until > now():
                counted("remembered")
                return self._settle(exchange, known)

            def judged(verdict: Verdict) -> Reply | None:
                if key and verdict.until > now():
                    if len(kept) >= MOST_KEPT:
                        kept.clear()
                    kept[key] = verdict
                return self._settle(exchange, verdict)

            return Asking(self, question, judged, counted)

        return check

    def _settle(self, exchange: Exchange, verdict: Verdict) -> Reply | None:
        if verdict.reply is None:
            exchange.block += verdict.lines
            return None
        if self.is_enforced:
            return verdict.reply
        if self.parts.counters is not None:
            counters = self.parts.counters
            counters.add(counters.counter(WOULD_DENY, policy=self.title.partition(" ")[2]))
        return None

    def _counting(self) -> Callable[[str], None]:
        counters, policy = self.parts.counters, self.title.partition(" ")[2]
        if counters is None:
            return lambda _: None
        names = ("allowed", "denied", "failed", "remembered")
        cells = {name: counters.counter(CHECKS, policy=policy, outcome=name) for name in names}
        return lambda outcome: counters.add(cells[outcome])

    # The question.

    def _asking(self) -> Callable[[Exchange], Exchange]:
        spec, now = self.spec, self.parts.now
        names = frozenset(name.lower().encode() for name in spec.request_headers) - _WRITTEN
        path = escaped(spec.path)
        below = path.rstrip(b"/")
        service = spec.service
        authority = f"{service.service}.{self.cluster.name.partition('/')[0]}.mesh".encode()

        def ask(exchange: Exchange) -> Exchange:
            plan = exchange.plan
            assert plan is not None, "a check is a step of a plan"
            if names.isdisjoint(plan.claimed):
                sent = _sent(exchange.head.block, names)
            else:
                # Of who calls it hears what was proved, as the service does.
                sent = _sent(exchange.head.block, names - plan.claimed) + _sent(exchange.block, names & plan.claimed)
            if spec.style == "envoy":
                asked = _question(exchange, exchange.method, below + exchange.path, exchange.query, now())
            else:
                asked = _question(exchange, b"GET", path, b"", now())
                asked.authority = authority
                sent += b"X-Forwarded-Method: %b\r\nX-Forwarded-Uri: %b%b\r\n" % (
                    exchange.method,
                    exchange.path,
                    exchange.query,
                )
            asked.block = sent
            return asked

        return ask

    # The answer.

    def judge(self, answer: Answer) -> Verdict | str:
        """A text: it is none."""
        spec, status = self.spec, answer.status
        if spec.style == "envoy":
            passes, is_refusal = status == 200, 300 <= status < 500
        else:
            passes, is_refusal = 200 <= status < 300, 300 <= status < 400 or status in (401, 403)
        if status == 304:
            is_refusal = False  # nobody asked whether something changed
        cache, now = spec.cache, self.parts.now()
        if passes:
            lines = _lines(answer.block, spec.upstream_headers)
            return Verdict(None, lines, 0.0 if cache is None else now + cache.ttl)
        if is_refusal:
            return Verdict(self._refusal(answer), b"", 0.0 if cache is None else now + cache.deny_ttl)
        return f"service {self.cluster.name} answers {status}"

    def _refusal(self, answer: Answer) -> Reply:
        detail = f"{self.title}: service {self.cluster.name} refuses this call"
        fields = _lines(answer.block, [name for name in self.spec.client_headers if answer.body or not _is_type(name)])
        body = answer.body or None
        return Reply(answer.status, "denied", "UAEX", detail, fields=fields, body=body, policy=self.title)

    def failed(self, why: str) -> Verdict:
        """Nobody decided."""
        if self.spec.on_failure == "allow":
            return Verdict(None)
        detail = f"{self.title} cannot be decided now: {why}"
        return Verdict(Reply(503, "policy_unavailable", "UAEX", detail, policy=self.title))

    def _forecast(self, exchange: Exchange) -> Sequence[Forecast]:
        """For whoever explains a call: nobody is asked."""
        return [Forecast("may refuse", f"service {self.cluster.name} is asked", self.title)]


class Asking(Turn):
    """A call that waits for the answer."""

    __slots__ = ("_check", "_counted", "_inquiry", "_judged", "_question")

    def __init__(
        self,
        check: Check,
        question: Exchange,
        judged: Callable[[Verdict], Reply | None],
        counted: Callable[[str], None],
    ) -> None:
        self._check = check
        self._question = question
        self._judged = judged
        self._counted = counted
        self._inquiry: Inquiry | None = None

    def wait(self, resume: Callable[[Reply | None], None]) -> None:
        check = self._check
        pool: Pool | None = check.parts.pool
        assert pool is not None, "a gateway that carries calls has a pool"

        def told(answer: Answer | str) -> None:
            verdict = answer if isinstance(answer, str) else check.judge(answer)
            if isinstance(verdict, str):
                self._counted("failed")
                verdict = check.failed(verdict)
            else:
                self._counted("allowed" if verdict.reply is None else "denied")
            resume(self._judged(verdict))

        self._inquiry = Inquiry(pool, check.cluster, self._question, float(check.spec.timeout), told)
        self._inquiry.start()

    def leave(self) -> None:
        if self._inquiry is not None:
            self._inquiry.cancel()


def _question(exchange: Exchange, method: bytes, path: bytes, query: bytes, now: float) -> Exchange:
    asked = Exchange(
        bare_head(method, exchange.authority), exchange.listener, exchange.peer, now, exchange.scheme,
        exchange.forwarded,
    )  # fmt: skip
    asked.path, asked.query = path, query
    asked.request_id, asked.traceparent = exchange.request_id, exchange.traceparent
    asked.principal = exchange.principal
    asked.attempts = 1
    return asked


def _key(question: Exchange) -> bytes:
    """All that is sent, but for what is new in every call; the caller's address is in `forwarded`."""
    parts = (question.method, question.authority, question.path, question.query, question.forwarded, question.block)
    return b"\0".join(parts)


def _sent(block: bytes, names: Collection[bytes]) -> bytes:
    return b"".join([b"%b: %b\r\n" % (name, value) for name, value in pairs(block) if name in names])


def _lines(block: bytes, names: Sequence[str]) -> bytes:
    return b"".join(
        [b"%b: %b\r\n" % (name.encode(), value) for name in names for value in find_all(block, name.lower().encode())]
    )


def _is_type(name: str) -> bool:
    return name.lower().encode() == _CONTENT_TYPE

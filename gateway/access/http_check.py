"""An external check by HTTP, as Envoy's and Traefik's: of a service over the pools of calls, or of a URL."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from gateway.access.checking import Policy, Question, Tell, Verdict, compile_sent, refusal
from gateway.exchange import Exchange, Reply
from gateway.relay.inquiry import Answer, Inquiry
from gateway.routing.path import escaped
from gateway.upstream.cluster import Cluster
from gateway.upstream.pool import Pool
from meshway.http1.fields import find_all
from meshway.http1.message import ResponseHead, bare_head
from meshway.outbound.connection import PlainError
from meshway.tasks import spawn

_CONTENT_TYPE: Final = b"content-type"
_WRITTEN: Final = frozenset({b"x-request-id", b"traceparent"})
_PARTIAL: Final = b"x-envoy-auth-partial-body"
Send = Callable[[Exchange, bytes | None, float, Callable[[Answer | str], None]], Callable[[], None]]


class HttpAsked:
    """An `Asked`. send: puts a question to it."""

    def __init__(self, policy: Policy, name: str, authority: bytes, path: str, send: Send) -> None:
        """authority: of a question that is not the call's own. path: where it is asked, or below it."""
        self.name = name
        self._policy, self._send = policy, send
        self._authority, self._path = authority, escaped(path)
        self._below = self._path.rstrip(b"/")
        self._fields = compile_sent(policy.spec)
        self._now = policy.parts.now

    def question(self, exchange: Exchange, body: bytes | None, is_cut: bool) -> Question:
        sent = b"".join([b"%b: %b\r\n" % pair for pair in self._fields(exchange) if pair[0] not in _WRITTEN])
        if self._policy.spec.style == "envoy":
            asked = _question(exchange, exchange.method, self._below + exchange.path, exchange.query, self._now())
        else:
            asked = _question(exchange, b"GET", self._path, b"", self._now())
            asked.authority = self._authority
            sent += b"X-Forwarded-Method: %b\r\nX-Forwarded-Uri: %b%b\r\n" % (
                exchange.method,
                exchange.path,
                exchange.query,
            )
        if body is not None:
            sent += b"%b: %b\r\n" % (_PARTIAL, b"true" if is_cut else b"false")
            asked.head.body = len(body)
        asked.block = sent
        return _HttpQuestion(self, asked, body)

    def send(self, asked: Exchange, body: bytes | None, timeout_s: float, tell: Tell) -> Callable[[], None]:
        def told(answer: Answer | str) -> None:
            tell(answer if isinstance(answer, str) else self._judge(answer))

        return self._send(asked, body, timeout_s, told)

    def _judge(self, answer: Answer) -> Verdict | str:
        """A text: it is no answer."""
        spec, status = self._policy.spec, answer.status
        if spec.style == "envoy":
            passes, is_refusal = status == 200, 300 <= status < 500
        else:
            passes, is_refusal = 200 <= status < 300, 300 <= status < 400 or status in (401, 403)
        if status == 304:
            is_refusal = False  # nobody asked whether something changed
        if passes:
            lines = _lines(answer.block, spec.upstream_headers or ())
            return Verdict(None, partial(_add, lines) if lines else None)
        return Verdict(self._refusal(answer)) if is_refusal else f"{self.name} answers {status}"

    def _refusal(self, answer: Answer) -> Reply:
        names = self._policy.spec.client_headers
        fields = _lines(answer.block, [name for name in names if answer.body or name.lower().encode() != _CONTENT_TYPE])
        return refusal(self._policy, self.name, answer.status, fields, answer.body or None)


class _HttpQuestion:
    def __init__(self, whom: HttpAsked, asked: Exchange, body: bytes | None) -> None:
        self._whom, self._asked, self._body = whom, asked, body

    def sent(self) -> bytes:
        """The caller's address is in `forwarded`."""
        asked = self._asked
        return b"\0".join(
            (asked.method, asked.authority, asked.path, asked.query, asked.forwarded, asked.block, self._body or b"")
        )

    def ask(self, timeout_s: float, tell: Tell) -> Callable[[], None]:
        return self._whom.send(self._asked, self._body, timeout_s, tell)


def of_service(policy: Policy, cluster: Cluster) -> HttpAsked:
    """cluster: whose instances are asked."""

    def send(
        asked: Exchange, body: bytes | None, timeout_s: float, tell: Callable[[Answer | str], None]
    ) -> Callable[[], None]:
        pool: Pool | None = policy.parts.pool
        assert pool is not None, "a gateway that carries calls has a pool"
        inquiry = Inquiry(pool, cluster, asked, timeout_s, tell, body or b"")
        inquiry.start()
        return inquiry.cancel

    service = policy.spec.service
    assert service is not None
    authority = f"{service.service}.{cluster.name.partition('/')[0]}.mesh".encode()
    return HttpAsked(policy, f"service {cluster.name}", authority, policy.spec.path, send)


def of_url(policy: Policy, url: str) -> HttpAsked:
    """By a connection of its own for each question; its address is judged at each."""
    parts, link = urlsplit(url), policy.parts.issuers.apart(policy.title)

    def send(
        asked: Exchange, body: bytes | None, timeout_s: float, tell: Callable[[Answer | str], None]
    ) -> Callable[[], None]:
        fields = b"%b%bx-request-id: %b\r\ntraceparent: %b\r\n" % (
            asked.block, asked.forwarded, asked.request_id, asked.traceparent,
        )  # fmt: skip
        asking = link.ask(url, asked.method, asked.path + asked.query, fields, body, timeout_s)
        task = spawn(_answer(asking, tell), name="ask by URL")

        def take_back() -> None:
            task.cancel()

        return take_back

    return HttpAsked(policy, f"{parts.hostname}", parts.netloc.encode(), parts.path or "/", send)


async def _answer(asking: Awaitable[tuple[ResponseHead, bytes]], tell: Callable[[Answer | str], None]) -> None:
    try:
        head, text = await asking
    except PlainError as error:
        tell(str(error))
    else:
        tell(Answer(head.status, head.block, text))


def _add(lines: bytes, exchange: Exchange) -> None:
    exchange.block += lines


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


def _lines(block: bytes, names: Sequence[str]) -> bytes:
    return b"".join(
        [b"%b: %b\r\n" % (name.encode(), value) for name in names for value in find_all(block, name.lower().encode())]
    )

"""Asks who calls: 401 with WWW-Authenticate where nobody can tell, else the exchange gets its principal.

What services are told of callers by headers is written here alone: a caller's own fields of these names are taken out,
and so are credentials, unless the document forwards them. RFC 9110 §11.6.1, RFC 6750 §3.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from gateway.authentication.places import Credentials
from gateway.authentication.proof import Fault, Method, Proof
from gateway.exchange import Exchange, Reply
from gateway.plan import Forecast, RequestFilter
from meshway.http1.fields import remove_alike
from meshway.identity import Principal
from meshway.issuers.key_ring import Forgetful

_MAX_BLOCKS: Final = 256  # connections of one worker that repeat themselves
_MAX_BLOCK: Final = 4096  # bytes
_DESCRIPTION: Final = re.compile(r"[ !#-\[\]-~]*").fullmatch  # RFC 6750 §3

Awaited = Awaitable[Proof | Fault]
Asking = Generator[Awaited, Proof | Fault, Reply | float | None]


@dataclass(slots=True, frozen=True)
class Checks:
    """What one Authentication asks. methods: in order, each with where its credentials are.

    policy: `Authentication shop/people`. realm: told in challenges. require: as in the document. take_out: None = they
    are forwarded. owned: names of fields, `dashed`, that the document alone writes. is_of_head: the block of fields
    says all. is_suspended: whether a Consumer, by its name, is let in nowhere.
    """

    policy: str
    realm: str
    methods: Sequence[tuple[Credentials, Method]]
    require: Literal["any", "all", "optional"]
    take_out: Callable[[Exchange], None] | None
    owned: frozenset[bytes]
    is_of_head: bool
    is_suspended: Callable[[str], bool]


class _Seen(NamedTuple):
    """What a block came to. block: what is forwarded. until: monotonic seconds."""

    principal: Principal
    block: bytes
    until: float


class Believed:
    """What blocks of fields came to, and the methods that remember more: all forgotten when keys change."""

    def __init__(self, methods: Iterable[Forgetful]) -> None:
        self.blocks: dict[bytes, _Seen] = {}
        self._methods = tuple(methods)

    def forget(self) -> None:
        self.blocks.clear()
        for method in self._methods:
            method.forget()


def compile_filter(checks: Checks, believed: Believed) -> RequestFilter:
    """A connection mostly sends the same block again, as the same object: then it is one look-up."""
    seen = believed.blocks
    is_of_head = checks.is_of_head

    def authenticate(exchange: Exchange) -> Reply | Awaitable[Reply | None] | None:
        before = exchange.block
        found = seen.get(before)
        if found is not None and found.until > exchange.started and before is exchange.head.block:
            exchange.principal, exchange.block = found.principal, found.block
            return None
        asking = _ask(checks, exchange)
        try:
            awaited = next(asking)
        except StopIteration as end:
            return settle(exchange, before, end.value)
        return go_on(exchange, before, asking, awaited)

    async def go_on(exchange: Exchange, before: bytes, asking: Asking, awaited: Awaited) -> Reply | None:
        while True:
            verdict = await awaited
            try:
                awaited = asking.send(verdict)
            except StopIteration as end:
                return settle(exchange, before, end.value)

    def settle(exchange: Exchange, before: bytes, answer: Reply | float | None) -> Reply | None:
        if isinstance(answer, Reply):
            return answer
        if answer is not None and is_of_head and before is exchange.head.block and len(before) <= _MAX_BLOCK:
            if len(seen) >= _MAX_BLOCKS:
                believed.blocks.clear()  # named, so that it lives as long as the filter: the key ring holds it weakly
            assert exchange.principal is not None
            seen[before] = _Seen(exchange.principal, exchange.block, answer)
        return None

    return authenticate


def compile_forecast(checks: Checks) -> Callable[[Exchange], Sequence[Forecast]]:
    """Of a call that nobody sent, with the credentials it was told of. What takes long is not begun."""
    awaited_in_words = " or ".join(
        dict.fromkeys(words for _, method in checks.methods if (words := getattr(method, "awaits", "")))
    )

    def forecast(exchange: Exchange) -> Sequence[Forecast]:
        asking = _ask(checks, exchange)
        try:
            awaited = next(asking)
        except StopIteration as end:
            reply = end.value
        else:
            asking.close()
            if isinstance(awaited, Coroutine):
                awaited.close()
            return [Forecast("may refuse", awaited_in_words, checks.policy)]
        if isinstance(reply, Reply):
            return [Forecast("refuse", reply.detail, checks.policy, reply)]
        principal = exchange.principal
        who = "nobody showed a credential" if principal is None else f"the caller is {principal.name}"
        return [Forecast("pass", who, checks.policy)]

    return forecast


def _ask(checks: Checks, exchange: Exchange) -> Asking:
    """Yields what is to be waited for, and is sent what it came to. Returns a refusal, until when the principal holds,
    or None: there is none."""
    fault: Fault | None = None
    challenged = checks.methods[0][1]
    proofs: list[Proof] = []
    for credentials, method in checks.methods:
        shown = credentials(exchange)
        if not shown:
            if checks.require == "all":
                return _refusal(checks, fault, method)
            continue
        verdict = Fault("several credentials are shown at once") if len(shown) > 1 else method.judge(shown[0])
        if not isinstance(verdict, Fault | Proof):
            verdict = yield verdict
        if isinstance(verdict, Proof):
            proofs.append(verdict)
            if checks.require != "all":
                break
            continue
        if fault is None or fault.is_unknown:
            fault, challenged = verdict, method
        if checks.require == "all":
            return _refusal(checks, fault, challenged)
    for proof in proofs:
        if checks.is_suspended(proof.principal.consumer):
            # Known, so that what is refused is counted as this one's.
            exchange.principal = proof.principal
            return _suspended(checks, proof.principal.consumer)
    if not proofs and (fault is not None or checks.require != "optional"):
        return _refusal(checks, fault, challenged)
    if checks.owned:
        exchange.block = remove_alike(exchange.block, checks.owned)
    if checks.take_out is not None:
        checks.take_out(exchange)
    if not proofs:
        return None
    exchange.block += b"".join(proof.lines for proof in proofs)
    exchange.principal = proofs[0].principal
    return min(proof.until for proof in proofs)


def _suspended(checks: Checks, consumer: str) -> Reply:
    detail = f"{checks.policy}: Consumer {consumer} is suspended"
    return Reply(403, "consumer_suspended", "UAEX", detail, policy=checks.policy)


def _refusal(checks: Checks, fault: Fault | None, method: Method) -> Reply:
    if fault is not None and fault.is_busy:
        fields = b"Retry-After: 1\r\n"
        return Reply(503, "overloaded", "UO", f"{checks.policy}: {fault.reason}", fields=fields, policy=checks.policy)
    detail, error = "the call shows no credential" if fault is None else fault.reason, b""
    if fault is not None and method.challenge == b"Bearer":
        error = b', error="invalid_token"'
        if _DESCRIPTION(detail):  # else it names a claim that cannot stand there
            error += b', error_description="%b"' % detail.encode()
    fields = b'WWW-Authenticate: %b realm="%b"%b\r\n' % (method.challenge, checks.realm.encode(), error)
    return Reply(401, "unauthenticated", "UAEX", f"{checks.policy}: {detail}", fields=fields, policy=checks.policy)

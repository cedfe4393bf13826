"""What an external check is made of: the question, whoever is asked, the verdict. One protocol a module beside this."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from gateway.exchange import Exchange, Reply
from gateway.plan import Parts
from gateway.routing.string_match import compile_string
from meshway.http1.fields import pairs
from meshway.model.external_check import ExternalCheck
from meshway.model.match import StringMatch

_WRITTEN = frozenset({b"x-request-id", b"traceparent"})  # the gateway writes these of each request anew


class Verdict(NamedTuple):
    """reply: None lets the call pass. change: what the answer does to a call that passes. metadata: JSON, for the log.

    until: monotonic seconds, as long as it holds for others. is_failure: nobody decided.
    """

    reply: Reply | None
    change: Callable[[Exchange], None] | None = None
    metadata: bytes = b""
    until: float = 0.0
    is_failure: bool = False


Tell = Callable[[Verdict | str], None]
"""Told once, unless the question is taken back. A text: nobody decided, and why."""


class Question(Protocol):
    """What is asked of one call."""

    def sent(self) -> bytes:
        """All of it but for what is new in every call: by this two calls are the same."""

    def ask(self, timeout_s: float, tell: Tell) -> Callable[[], None]:
        """Returns how to take it back. tell: perhaps before this returns."""


class Asked(Protocol):
    """Whoever is asked. name: for people."""

    name: str

    def question(self, exchange: Exchange, body: bytes | None, is_cut: bool) -> Question:
        """body: None where it is not sent. is_cut: there was more of it."""


class Policy(NamedTuple):
    """title: `AccessPolicy shop/edge`. namespace: the document's."""

    title: str
    namespace: str
    spec: ExternalCheck
    parts: Parts


def compile_sent(spec: ExternalCheck) -> Callable[[Exchange], list[tuple[bytes, bytes]]]:
    """The call's own fields that are sent, names in lower case. Of who calls it says what was proved, as the service is
    told, not what the caller writes there."""
    names = frozenset(name.lower().encode() for name in spec.request_headers if isinstance(name, str))
    tests = [compile_string(name) for name in spec.request_headers if isinstance(name, StringMatch)]
    takes = names.__contains__ if not tests else lambda name: name in names or any(test(name) for test in tests)

    def sent(exchange: Exchange) -> list[tuple[bytes, bytes]]:
        assert exchange.plan is not None, "a check is a step of a plan"
        claimed = exchange.plan.claimed
        found = [pair for pair in pairs(exchange.head.block) if takes(pair[0])]
        if not claimed:
            return found
        found = [pair for pair in found if pair[0] not in claimed]
        return found + [pair for pair in pairs(exchange.block) if pair[0] in claimed and takes(pair[0])]

    return sent


def own_fields(spec: ExternalCheck, exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """Those that the gateway writes of each call anew, as far as the document has them sent."""
    written = {b"x-request-id": exchange.request_id, b"traceparent": exchange.traceparent}
    listed = [name.lower().encode() for name in spec.request_headers if isinstance(name, str)]
    return [(name, written[name]) for name in listed if name in _WRITTEN]


def refusal(policy: Policy, name: str, status: int, fields: bytes = b"", body: bytes | None = None) -> Reply:
    """name: of who refuses."""
    detail = f"{policy.title}: {name} refuses this call"
    return Reply(status, "denied", "UAEX", detail, fields=fields, body=body, policy=policy.title)

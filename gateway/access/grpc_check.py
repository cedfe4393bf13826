"""An external check by gRPC: Envoy's Authorization/Check, of a service, over connections that all calls share."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway.access.check_messages import (
    METHOD,
    Attributes,
    Checked,
    CheckFault,
    HeaderChange,
    attributes_message,
    context_of,
    merged,
    read_check,
)
from gateway.access.checking import Policy, Question, Tell, Verdict, compile_sent, own_fields, refusal
from gateway.exchange import Exchange
from gateway.relay.unary_call import UnaryAnswer, UnaryCall
from gateway.upstream.cluster import Cluster
from meshway.grpc_message import OK, PERMISSION_DENIED, UNAUTHENTICATED
from meshway.http1.fields import add, dashed, find, remove_alike
from meshway.http1.message import CHUNKED

MOST_METADATA: Final = 4096  # bytes of JSON in the log
_PROTOCOLS: Final = (b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2", b"HTTP/3")  # by a head's minor
_DENIED: Final = 403
# What a service may say by the status of the call itself.
_REFUSALS: Final = {PERMISSION_DENIED: 403, UNAUTHENTICATED: 401}
_ABSENT: Final = 204
_PARTIAL: Final = b"x-envoy-auth-partial-body"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class GrpcAsked:
    """An `Asked`. cluster: whose instances are asked."""

    def __init__(self, policy: Policy, cluster: Cluster) -> None:
        self.name = f"service {cluster.name}"
        self._policy, self._cluster = policy, cluster
        spec = policy.spec
        service = spec.service
        assert service is not None
        self._authority = f"{service.service}.{cluster.name.partition('/')[0]}.mesh".encode()
        self._fields = compile_sent(spec)
        self._context = context_of(spec.context)
        taken = spec.upstream_headers
        self._taken = None if taken is None else frozenset(name.lower().encode() for name in taken)
        self._shown = frozenset(name.lower().encode() for name in spec.client_headers)

    def question(self, exchange: Exchange, body: bytes | None, is_cut: bool) -> Question:
        spec, principal, certificate = self._policy.spec, exchange.principal, exchange.certificate
        fields = self._fields(exchange)
        if body is not None:
            fields.append((_PARTIAL, b"true" if is_cut else b"false"))
        size = exchange.head.body
        asked = Attributes(
            source_address=exchange.peer,
            source_principal="" if principal is None else principal.name,
            source_service="" if principal is None or not principal.service else _service_of(principal),
            source_certificate=quote(certificate.pem.decode()) if spec.include_certificate and certificate else "",
            destination_service="" if exchange.plan is None else exchange.plan.service,
            method=exchange.method,
            headers=merged(fields),
            path=exchange.path + exchange.query,
            host=exchange.authority,
            scheme=exchange.scheme,
            size=-1 if size == CHUNKED else size,
            protocol=_PROTOCOLS[exchange.head.minor],
            body=body,
            context=self._context,
            server_name=exchange.server_name,
            claims=principal.claims if spec.include_claims and principal is not None and principal.claims else None,
        )
        return _GrpcQuestion(self, asked, exchange)

    def ask(self, asked: Attributes, exchange: Exchange, timeout_s: float, tell: Tell) -> Callable[[], None]:
        parts, spec = self._policy.parts, self._policy.spec
        pool = parts.shared_pool
        assert pool is not None, "a gateway that carries calls has a pool"
        received_s = parts.wall() - (parts.now() - exchange.started)
        sent = asked._replace(headers={**asked.headers, **dict(own_fields(spec, exchange))})
        message = attributes_message(sent, exchange.request_id, received_s)

        def told(answer: UnaryAnswer | str) -> None:
            tell(answer if isinstance(answer, str) else self._judge(answer))

        call = UnaryCall(pool, self._cluster, exchange, self._authority, METHOD, message, timeout_s, told)
        call.start()
        return call.cancel

    def _judge(self, answer: UnaryAnswer) -> Verdict | str:
        """A text: it is no answer."""
        if answer.code != OK:
            status = _REFUSALS.get(answer.code)
            if status is None:
                return f"{self.name} answers with gRPC status {answer.code}"
            return Verdict(refusal(self._policy, self.name, status))
        try:
            checked = read_check(answer.message)
        except CheckFault as fault:
            return f"the answer of {self.name} cannot be used: {fault}"
        metadata = _metadata(checked.metadata)
        if not checked.passes:
            return self._refused(checked)._replace(metadata=metadata)
        headers = [one for one in checked.headers if self._taken is None or one.name in self._taken]
        changes = bool(headers or checked.removed or checked.to_caller)
        change = partial(_change, headers, checked.removed, checked.to_caller) if changes else None
        return Verdict(None, change, metadata)

    def _refused(self, checked: Checked) -> Verdict:
        shown = [one for one in checked.headers if one.name in self._shown]
        fields = b"".join(b"%b: %b\r\n" % (one.name, one.value) for one in shown if checked.body or not _is_type(one))
        body = checked.body if checked.body and checked.status != _ABSENT else None
        return Verdict(refusal(self._policy, self.name, checked.status or _DENIED, fields, body))


class _GrpcQuestion:
    def __init__(self, whom: GrpcAsked, asked: Attributes, exchange: Exchange) -> None:
        self._whom, self._asked, self._exchange = whom, asked, exchange

    def sent(self) -> bytes:
        return attributes_message(self._asked, b"", 0.0)

    def ask(self, timeout_s: float, tell: Tell) -> Callable[[], None]:
        return self._whom.ask(self._asked, self._exchange, timeout_s, tell)


def _service_of(principal: Any) -> str:
    return f"{principal.namespace}/{principal.service}"


def _is_type(header: HeaderChange) -> bool:
    return header.name == b"content-type"


def _metadata(told: Mapping[str, Any] | None) -> bytes:
    """b"": there is none, or more than a line of the log takes."""
    if not told:
        return b""
    text = _encode(told)
    return text if len(text) <= MOST_METADATA else b""


def _change(
    headers: Iterable[HeaderChange], removed: Iterable[bytes], to_caller: Iterable[HeaderChange], exchange: Exchange
) -> None:
    """Removed is before set, so that a name in both is there. Of fields for the caller `if_absent` and `if_present`
    look at those that the gateway itself adds."""
    names = dashed(frozenset(removed))
    block = remove_alike(exchange.block, names) if names else exchange.block
    for one in headers:
        block = _changed(block, one)
    exchange.block = block
    replaced = frozenset[bytes]()
    for one in to_caller:
        # What the service answers is not known yet: what stands in its place is taken out of that when it comes.
        if one.action == "set":
            replaced |= {one.name}
        exchange.added = _changed(exchange.added, one)
    if replaced:
        # Another document's check may have said something before.
        exchange.replaced = replaced if exchange.replaced is None else exchange.replaced | replaced


def _changed(block: bytes, change: HeaderChange) -> bytes:
    name, action = change.name, change.action
    if action == "if_absent" and find(block, name) is not None:
        return block
    if action == "if_present" and find(block, name) is None:
        return block
    if action != "append":
        block = remove_alike(block, dashed((name,)))
    return add(block, name, change.value)

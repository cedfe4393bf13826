"""Holds a signed request's body until its Content-Digest agrees (RFC 9530): the signature is of the digest alone."""

from typing import Final

from gateway.authentication.message_signature import digest_holds
from gateway.exchange import Exchange, Reply, WholeBody
from gateway.plan import Forecast, RequestFilter
from meshway.http1.message import NO_BODY

METHOD: Final = "hmac"


def compile_filter(policy: str, max_body: int, *, is_always_signed: bool) -> RequestFilter:
    """policy: `Authentication shop/tills`. is_always_signed: who comes so far has signed, whatever else names him."""

    def judge(exchange: Exchange, body: bytes) -> Reply | None:
        if digest_holds(exchange, body):
            return None
        detail = f"{policy}: the body is not the one that was signed"
        return Reply(401, "unauthenticated", "UAEX", detail, policy=policy)

    wanted = WholeBody(max_body, judge)

    def hold(exchange: Exchange) -> WholeBody | None:
        if exchange.head.body == NO_BODY:
            return None
        principal = exchange.principal
        return wanted if is_always_signed or (principal is not None and principal.method == METHOD) else None

    return hold


def forecast(_: Exchange) -> list[Forecast]:
    """Of a call that nobody sent there is no body."""
    return []

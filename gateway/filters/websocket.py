"""Judges the caller's half of a WebSocket handshake, where a rule has a word on it (RFC 6455 §4.2.1, §10.2).

Browsers send cookies along with a handshake that any page begins, and show it what comes: unlike a fetch, no CORS is
asked. So the page's origin is looked at here (cross-site WebSocket hijacking).
"""

from collections.abc import Callable
from typing import Final

from gateway.exchange import EDGE, Exchange, Reply
from gateway.plan import RequestFilter
from gateway.routing.string_match import compile_string
from gateway.wire.websocket.handshake import offered_protocols, request_fault, with_protocols
from meshway.http1.fields import find
from meshway.model.match import Text
from meshway.model.websocket import SAME_HOST, WebSocket

_ORIGIN: Final = b"origin"
_MOST_SHOWN: Final = 128  # of what a caller wrote, in a message
AllowsOrigin = Callable[[Exchange, bytes], bool]


def compile_filter(block: WebSocket, rule: str) -> RequestFilter:
    """rule: how messages speak of whose block it is."""
    if not block.allow:
        refusal = Reply(403, "websocket_denied", "UAEX", f"{rule} lets no WebSocket pass")
        return lambda exchange: refusal if exchange.head.upgrade else None
    allows = _compile_origins(block)
    spoken = frozenset(name.encode() for name in block.subprotocols)

    def websocket(exchange: Exchange) -> Reply | None:
        if not exchange.head.upgrade:
            return None
        fault = request_fault(exchange.block)
        if fault is not None:
            return Reply(fault.status, "websocket_handshake", "DPE", fault.detail, fields=fault.fields)
        origin = find(exchange.block, _ORIGIN)
        if origin is not None and not allows(exchange, origin):
            shown = origin[:_MOST_SHOWN].decode("latin-1")
            detail = f"{rule} takes no WebSocket from pages of {shown}: its websocket.origins does not have it"
            return Reply(403, "websocket_origin", "UAEX", detail)
        return _choose(exchange, spoken, rule) if spoken else None

    return websocket


def _choose(exchange: Exchange, spoken: frozenset[bytes], rule: str) -> Reply | None:
    """The service hears of those only that it may choose."""
    offered = offered_protocols(exchange.block)
    left = [name for name in offered if name in spoken]
    if offered and not left:
        names = ", ".join(sorted(name.decode() for name in spoken))
        return Reply(403, "websocket_subprotocol", "UAEX", f"{rule} takes no subprotocols but {names}")
    if len(left) < len(offered):
        exchange.block = with_protocols(exchange.block, left)
    return None


def _compile_origins(block: WebSocket) -> AllowsOrigin:
    if isinstance(block.origins, tuple):
        return _among(block.origins)
    is_asked_everywhere = block.origins == SAME_HOST
    return lambda exchange, origin: (
        (exchange.listener != EDGE and not is_asked_everywhere) or _host_of(origin) == exchange.host
    )


def _among(origins: tuple[Text, ...]) -> AllowsOrigin:
    tests = [compile_string(text) for text in origins]
    return lambda _, origin: any(holds(origin) for holds in tests)


def _host_of(origin: bytes) -> bytes:
    """Without its port: what a caller sees of ours is often another one."""
    authority = origin.partition(b"://")[2].lower()
    if authority.startswith(b"["):
        return authority.partition(b"]")[0] + b"]"
    return authority.partition(b":")[0]

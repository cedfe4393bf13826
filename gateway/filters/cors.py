"""Lets pages of other origins call a rule: answers preflights, and tells browsers who may read an answer.

A preflight that asks for more than the rule allows is refused and says what is missing: for a browser that is the same
as an answer without leave, for whoever looks for the mend it is not. Calls themselves are never refused for their
origin: browsers send one with a page's own calls, too, and without leave they show no other page the answer. What the
service says of these fields is taken out. Source: Fetch Standard, CORS protocol.
"""

from collections.abc import Callable, Iterable
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.plan import RequestFilter, ResponseFilter
from gateway.routing.predicates import Test
from gateway.routing.preflight import ASKED_HEADERS, ASKED_METHOD, ORIGIN, header_names
from gateway.routing.string_match import HoldsText, compile_string
from meshway.http1.fields import find, find_all, remove
from meshway.http1.message import ResponseHead
from meshway.model.cors_rules import ANY
from meshway.model.rule_actions import Cors

_OWNED: Final = tuple(
    f"access-control-{name}".encode()
    for name in ("allow-origin", "allow-credentials", "allow-methods", "allow-headers", "expose-headers", "max-age")
)
_UNASKED: Final = frozenset({b"GET", b"HEAD", b"POST"})  # browsers send these without a preflight
_PRIVATE: Final = b"authorization"  # never meant by `*`
_VARY: Final = b"Vary: Origin\r\n"
_VARY_PREFLIGHT: Final = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n"
_ALLOW_CREDENTIALS: Final = b"Access-Control-Allow-Credentials: true\r\n"
_MOST_SHOWN: Final = 128  # of what a caller wrote, in a message


def compile_filter(cors: Cors, rule: str) -> RequestFilter:
    """rule: how messages speak of whose cors it is."""
    is_open = ANY in cors.allow_origins
    allows = _compile_origins(cors)
    credentials = _ALLOW_CREDENTIALS if cors.allow_credentials else b""
    exposed = _listed(b"Access-Control-Expose-Headers", cors.expose_headers)
    open_fields = b"Access-Control-Allow-Origin: *\r\n" + exposed
    answer = _compile_preflight(cors, rule)

    def share(exchange: Exchange) -> Reply | None:
        origin = find(exchange.block, ORIGIN)
        if exchange.method == b"OPTIONS" and origin is not None:
            reply = answer(exchange, origin)
            if reply is not None:
                return reply
        if is_open:
            exchange.added += open_fields  # whoever asks, so that caches may give one answer to all
        elif origin is not None and allows(origin):
            exchange.added += b"%bAccess-Control-Allow-Origin: %b\r\n%b%b" % (_VARY, origin, credentials, exposed)
        else:
            exchange.added += _VARY
        return None

    return share


def compile_response_filter() -> ResponseFilter:
    def take_over(head: ResponseHead) -> None:
        head.block = remove(head.block, _OWNED)

    return take_over


def compile_leave(cors: Cors) -> Test | None:
    """Whether a preflight asks for nothing that is not allowed; None where pages may not send cookies."""
    if not cors.allow_credentials:
        return None
    lacks = _compile_lack(cors)

    def has_leave(exchange: Exchange) -> bool:
        block = exchange.head.block
        origin, method = find(block, ORIGIN), find(block, ASKED_METHOD)
        return origin is not None and method is not None and lacks(block, origin, method) is None

    return has_leave


def _compile_lack(cors: Cors) -> Callable[[bytes, bytes, bytes], tuple[bytes, bytes] | None]:
    """Of a preflight's fields, origin and method: what is not allowed, and which one; None: it may have all."""
    allows = _compile_origins(cors)
    methods = frozenset(method.encode() for method in cors.allow_methods)
    headers = frozenset(name.lower().encode() for name in cors.allow_headers)

    def lack(block: bytes, origin: bytes, method: bytes) -> tuple[bytes, bytes] | None:
        if not allows(origin):
            return b"origin", origin
        if method not in methods and method not in _UNASKED and ANY.encode() not in methods:
            return b"method", method
        missing = header_names(b",".join(find_all(block, ASKED_HEADERS))) - headers
        if ANY.encode() in headers:
            missing &= {_PRIVATE}
        return (b"header", min(missing)) if missing else None

    return lack


def _compile_preflight(cors: Cors, rule: str) -> Callable[[Exchange, bytes], Reply | None]:
    """None from what it makes: this OPTIONS is no preflight."""
    is_open = ANY in cors.allow_origins
    lacks = _compile_lack(cors)
    fields = (
        (_ALLOW_CREDENTIALS if cors.allow_credentials else b"")
        + _listed(b"Access-Control-Allow-Methods", cors.allow_methods)
        + _listed(b"Access-Control-Allow-Headers", cors.allow_headers)
        + b"Access-Control-Max-Age: %d\r\n" % int(cors.max_age)
        + _VARY_PREFLIGHT
    )

    def answer(exchange: Exchange, origin: bytes) -> Reply | None:
        method = find(exchange.block, ASKED_METHOD)
        if method is None:
            return None
        lack = lacks(exchange.block, origin, method)
        if lack is not None:
            return _refusal(rule, *lack)
        leave = b"Access-Control-Allow-Origin: %b\r\n" % (ANY.encode() if is_open else origin)
        return Reply(204, "cors_preflight", "", fields=leave + fields, body=b"")

    return answer


def _refusal(rule: str, what: bytes, value: bytes) -> Reply:
    shown = value[:_MOST_SHOWN].decode("latin-1")
    detail = f"{rule} allows pages of other origins no {what.decode()} {shown}: its cors does not list it"
    return Reply(403, "cors_denied", "UAEX", detail, fields=_VARY_PREFLIGHT)


def _compile_origins(cors: Cors) -> HoldsText:
    """Origins are compared as bytes, which is how browsers write them (RFC 6454 §6.2)."""
    if ANY in cors.allow_origins:
        return lambda origin: origin is not None
    named = frozenset(text.encode() for text in cors.allow_origins if isinstance(text, str))
    others = [compile_string(text) for text in cors.allow_origins if not isinstance(text, str)]
    if not others:
        return named.__contains__
    return lambda origin: origin in named or any(holds(origin) for holds in others)


def _listed(name: bytes, values: Iterable[str]) -> bytes:
    line = ", ".join(values).encode()
    return b"%b: %b\r\n" % (name, line) if line else b""

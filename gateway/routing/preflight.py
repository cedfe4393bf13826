"""For which rule a browser asks leave: its OPTIONS tells the method and the names of headers of the call to come.

So a rule of `methods: [PUT]` answers the preflight of a PUT. Values of headers are taken for right where the call will
have the header. A preflight has no cookies and does not tell whether the call will have any: a rule that asks for some
takes those that its cors gives leave to, credentials among it, and leaves the others to the rule of calls without.
"""

from typing import Final

import msgspec

from gateway.exchange import Exchange
from gateway.request_fields import RequestFields
from gateway.routing.predicates import Test, compile_predicates
from gateway.routing.string_match import compile_string
from meshway.model.match import Match

ORIGIN: Final = b"origin"
ASKED_METHOD: Final = b"access-control-request-method"
ASKED_HEADERS: Final = b"access-control-request-headers"


def compile_preflight(match: Match, fields: RequestFields, leave: Test | None = None) -> Test | None:
    """Whether a preflight is for a call that the match takes. None: the match itself takes it as it is.

    leave: whether a preflight gets what it asks for; None: pages send no cookies here.
    """
    if leave is None or not match.cookies:
        leave = None
        if not match.headers and (not match.methods or "OPTIONS" in match.methods):
            return None
    methods = frozenset(method.encode() for method in match.methods)
    headers = [(name.lower().encode(), compile_string(text)) for name, text in match.headers.items()]
    cookies = match.cookies if leave is None else {}
    rest = compile_predicates(msgspec.structs.replace(match, methods=(), headers={}, cookies=cookies), fields)

    def is_meant(exchange: Exchange) -> bool:
        if exchange.method != b"OPTIONS":
            return False
        values = fields.headers(exchange)
        asked = values.get(ASKED_METHOD)
        if asked is None or ORIGIN not in values or (methods and asked not in methods):
            return False
        coming = header_names(values.get(ASKED_HEADERS, b""))
        for name, holds in headers:
            if name not in coming and not holds(values.get(name)):
                return False
        return (rest is None or rest(exchange)) and (leave is None or leave(exchange))

    return is_meant


def header_names(listed: bytes) -> frozenset[bytes]:
    """Lower-case names of a list as Access-Control-Request-Headers has it."""
    return frozenset(name for part in listed.split(b",") if (name := part.strip(b" \t").lower()))

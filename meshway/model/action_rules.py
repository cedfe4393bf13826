"""What must hold inside the blocks of rule_actions.py."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.cors_rules import CORS_RULES
from meshway.model.instant import parse_instant
from meshway.model.names import FIELD_VALUE, TOKEN
from meshway.model.respond import Respond
from meshway.model.rule_actions import (
    Compression,
    Cors,
    Deprecation,
    Fault,
    FaultAbort,
    FaultDelay,
    MirrorCompare,
    Sticky,
    StickyCookie,
)
from meshway.model.rule_kit import BlockRule, Finding, bounded, one_of, unique
from meshway.model.websocket import WebSocket
from meshway.model.websocket_rules import WEBSOCKET_RULES
from meshway.units import Size

MAX_RESPOND_BODY: Final = Size(64 << 10)
MAX_DELAY_S: Final = 60.0
BODILESS: Final = frozenset({204, 205, 304})  # RFC 9110 §15.3.5, §15.3.6, §15.4.5


def _respond_body(part: Any) -> Iterator[Finding]:
    size = len(part.body.encode())
    if size > MAX_RESPOND_BODY:
        yield Finding(".body", "too_large", f"{size} bytes are above {MAX_RESPOND_BODY}")
    if part.body and part.status in BODILESS:
        yield Finding(".body", "forbidden_combination", f"an answer {part.status} has no body")


def _respond_type(part: Any) -> Iterator[Finding]:
    if not FIELD_VALUE.match(part.content_type):
        yield Finding(".content_type", "out_of_bounds", "a header's value holds no control characters")


def _encodings(part: Any) -> Iterator[Finding]:
    yield from unique(part.encodings, lambda at: f".encodings[{at}]", "encoding")


def _compares(part: Any) -> Iterator[Finding]:
    if not part.status and part.latency is None and not part.json_fields:
        yield Finding("", "missing_field", "compares nothing: status, latency or json_fields")


def _sticky_name(part: Any) -> Iterator[Finding]:
    if part.key == "source_ip":
        if part.name is not None:
            yield Finding(".name", "forbidden_combination", "is for key: cookie, header or query")
    elif part.name is None:
        yield Finding(".name", "missing_field", f"is required: the name of the {part.key}")
    elif not (TOKEN.match(part.name) if part.key != "query" else part.name):
        yield Finding(".name", "bad_name", f'"{part.name}" names no {part.key}')
    if part.cookie is not None and part.key != "cookie":
        yield Finding(".cookie", "forbidden_combination", "is for key: cookie")


def _cookie_path(part: Any) -> Iterator[Finding]:
    if not FIELD_VALUE.match(part.path) or ";" in part.path:
        yield Finding(".path", "out_of_bounds", 'a cookie\'s path holds no ";" and no control characters')
    if part.same_site == "none" and part.secure == "never":
        yield Finding(".same_site", "forbidden_combination", "none needs a secure cookie: browsers drop others")


def _fault_somehow(part: Any) -> Iterator[Finding]:
    if part.delay is None and part.abort is None:
        yield Finding("", "missing_field", "needs at least one of delay, abort")


def _fault_match(part: Any) -> Iterator[Finding]:
    if part.match is not None and part.match.path is not None:
        reason = "the rule's own match says which paths: write a rule of its own for these"
        yield Finding(".match.path", "forbidden_combination", reason)


def _instants(*names: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        for name in names:
            if getattr(part, name) is not None:
                try:
                    parse_instant(getattr(part, name))
                except ValueError as error:
                    yield Finding(f".{name}", "out_of_bounds", str(error))

    return BlockRule(names, check)


def _deprecated_when(part: Any) -> Iterator[Finding]:
    if part.since is None and part.sunset is None:
        yield Finding("", "missing_field", "needs at least one of since, sunset")
        return
    try:
        is_backwards = part.since and part.sunset and parse_instant(part.sunset) < parse_instant(part.since)
    except ValueError:
        return  # said of the field itself
    if is_backwards:
        yield Finding(".sunset", "forbidden_combination", "is before since: RFC 9745 wants it after")


ACTION_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    MirrorCompare: (
        BlockRule(("status", "latency", "json_fields"), _compares, whole=True),
        bounded("latency", 0.001, 60.0, zero=False),
    ),
    Compression: (BlockRule(("encodings",), _encodings),),
    Sticky: (BlockRule(("key", "name", "cookie"), _sticky_name),),
    StickyCookie: (
        bounded("ttl", 1.0, 366 * 86400.0, zero=True),
        BlockRule(("path", "same_site", "secure"), _cookie_path),
    ),
    Cors: CORS_RULES,
    WebSocket: WEBSOCKET_RULES,
    FaultDelay: (bounded("fixed", 0.001, MAX_DELAY_S, zero=False),),
    FaultAbort: (one_of("status", "grpc_status"),),
    Fault: (
        BlockRule(("delay", "abort"), _fault_somehow, whole=True),
        BlockRule(("match",), _fault_match),
        _instants("until"),
    ),
    Deprecation: (
        BlockRule(("since", "sunset"), _deprecated_when, whole=True),
        _instants("since", "sunset"),
    ),
    Respond: (BlockRule(("status", "body"), _respond_body), BlockRule(("content_type",), _respond_type)),
}

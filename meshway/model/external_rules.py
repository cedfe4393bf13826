"""What must hold inside the `external` block of an AccessPolicy."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from meshway.http1.fields import is_name
from meshway.model.external_check import CheckCache, CheckedBody, ExternalCheck
from meshway.model.oidc_rules import LOOPBACK_HOSTS, is_issuer
from meshway.model.rule_kit import BlockRule, Finding, bounded, one_of

_SHORTEST_S, _LONGEST_S = 0.001, 5.0
_LONGEST_TTL_S: Final = 60.0
_MOST_BODY: Final = 1 << 20
_KEY_PARTS: Final = ("source_ip", "principal", "consumer", "method", "host", "path", "query")
_NAMED_KEY_PARTS: Final = ("header", "query", "claim")
# What frames a message, names its host, belongs to one connection, or is the gateway's own word.
OURS: Final = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"),
        *("proxy-connection", "proxy-authenticate", "proxy-authorization", "x-request-id", "traceparent", "via"),
        *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "forwarded"),
    }
)


def is_ours(name: str) -> bool:
    """Whether nobody who is asked may write this field. name: in lower case."""
    return name in OURS or name.startswith((":", "meshway-"))


def _bounds(part: Any) -> Iterator[Finding]:
    if not _SHORTEST_S <= part.timeout <= _LONGEST_S:
        yield Finding(".timeout", "out_of_bounds", "is between 1ms and 5s: every call waits that long for it")
    if not part.path.startswith("/") or "?" in part.path or "#" in part.path:
        yield Finding(".path", "out_of_bounds", 'begins with "/" and holds no "?" and no "#"')
    if part.service is not None and part.service.weight != 1:
        yield Finding(".service.weight", "out_of_bounds", "one service is asked, so it has no weight")


def _where(part: Any) -> Iterator[Finding]:
    """Who is asked, and how."""
    if part.protocol == "grpc":
        if part.url is not None:
            yield Finding(".url", "forbidden_combination", "is asked by http: name the service that is asked by grpc")
        for name, default in (("style", "envoy"), ("path", "/")):
            if getattr(part, name) != default:
                yield Finding(f".{name}", "forbidden_combination", "is for protocol http: grpc has one method")
    else:
        for name in ("context", "include_claims", "include_certificate"):
            if getattr(part, name):
                yield Finding(f".{name}", "forbidden_combination", "is sent by protocol grpc alone")
    if part.url is None:
        return
    if not is_issuer(part.url):
        yield Finding(".url", "out_of_bounds", "is no URL like https://id.example/verify, without a query")
    elif urlsplit(part.url).scheme != "https" and urlsplit(part.url).hostname not in LOOPBACK_HOSTS:
        reason = "is http: whoever is on the way there could let calls pass; only a loopback address may be"
        yield Finding(".url", "forbidden_combination", reason)
    if part.path != "/":
        yield Finding(".path", "forbidden_combination", "is for a service: a url has its own")


def _kept(part: Any) -> Iterator[Finding]:
    if part.cache is not None and part.request_body is not None:
        reason = "holds answers for calls of which the same is asked, and no two bodies need be the same"
        yield Finding(".cache", "forbidden_combination", f"{reason}: leave out request_body or cache")


def _key(part: Any) -> Iterator[Finding]:
    for at, written in enumerate(part.key):
        kind, dot, name = written.partition(".")
        is_named = bool(dot) and kind in _NAMED_KEY_PARTS and bool(name)
        if written in _KEY_PARTS or (is_named and (kind != "header" or is_name(name.encode()))):
            continue
        known = ", ".join((*_KEY_PARTS, *(f"{kind}.NAME" for kind in _NAMED_KEY_PARTS)))
        yield Finding(f".key[{at}]", "out_of_bounds", f'"{written}" is none of {known}')


def _names(part: Any) -> Iterator[Finding]:
    for field in ("request_headers", "upstream_headers", "client_headers"):
        for at, name in enumerate(getattr(part, field) or ()):
            if not isinstance(name, str):
                continue  # a StringMatch has rules of its own
            if not is_name(name.encode("utf-8")):
                yield Finding(f".{field}[{at}]", "out_of_bounds", f'"{name}" is no name of a header')
            elif field != "request_headers" and (is_ours(name.lower())):
                yield Finding(f".{field}[{at}]", "out_of_bounds", f"{name} is the gateway's own word")


def _times(part: Any) -> Iterator[Finding]:
    for field in ("ttl", "deny_ttl"):
        if not 0.0 <= getattr(part, field) <= _LONGEST_TTL_S:
            yield Finding(f".{field}", "out_of_bounds", "is at most 60s: what was taken back would go on for as long")


EXTERNAL_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    ExternalCheck: (
        one_of("service", "url"),
        BlockRule(("timeout", "path", "service"), _bounds),
        BlockRule(
            ("protocol", "url", "style", "path", "context", "include_claims", "include_certificate"), _where, whole=True
        ),
        BlockRule(("request_headers", "upstream_headers", "client_headers"), _names),
        BlockRule(("cache", "request_body"), _kept),
    ),
    CheckCache: (BlockRule(("ttl", "deny_ttl"), _times), BlockRule(("key",), _key)),
    CheckedBody: (bounded("max", 1, _MOST_BODY, zero=False),),
}

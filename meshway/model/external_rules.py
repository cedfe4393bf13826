"""What must hold inside the `external` block of an AccessPolicy."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.http1.fields import is_name
from meshway.model.external_check import CheckCache, ExternalCheck
from meshway.model.rule_kit import BlockRule, Finding

_SHORTEST_S, _LONGEST_S = 0.001, 5.0
_LONGEST_TTL_S: Final = 60.0
# What frames a message, names its host, belongs to one connection, or is the gateway's own word.
_OURS: Final = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"),
        *("proxy-connection", "proxy-authenticate", "proxy-authorization", "x-request-id", "traceparent", "via"),
        *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "forwarded"),
    }
)


def _bounds(part: Any) -> Iterator[Finding]:
    if not _SHORTEST_S <= part.timeout <= _LONGEST_S:
        yield Finding(".timeout", "out_of_bounds", "is between 1ms and 5s: every call waits that long for it")
    if not part.path.startswith("/") or "?" in part.path or "#" in part.path:
        yield Finding(".path", "out_of_bounds", 'begins with "/" and holds no "?" and no "#"')
    if part.service is not None and part.service.weight != 1:
        yield Finding(".service.weight", "out_of_bounds", "one service is asked, so it has no weight")


def _names(part: Any) -> Iterator[Finding]:
    for field in ("request_headers", "upstream_headers", "client_headers"):
        for at, name in enumerate(getattr(part, field)):
            if not is_name(name.encode("utf-8")):
                yield Finding(f".{field}[{at}]", "out_of_bounds", f'"{name}" is no name of a header')
            elif field != "request_headers" and (name.lower() in _OURS or name.lower().startswith("meshway-")):
                yield Finding(f".{field}[{at}]", "out_of_bounds", f"{name} is the gateway's own word")


def _times(part: Any) -> Iterator[Finding]:
    for field in ("ttl", "deny_ttl"):
        if not 0.0 <= getattr(part, field) <= _LONGEST_TTL_S:
            yield Finding(f".{field}", "out_of_bounds", "is at most 60s: what was taken back would go on for as long")


EXTERNAL_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    ExternalCheck: (
        BlockRule(("timeout", "path", "service"), _bounds),
        BlockRule(("request_headers", "upstream_headers", "client_headers"), _names),
    ),
    CheckCache: (BlockRule(("ttl", "deny_ttl"), _times),),
}

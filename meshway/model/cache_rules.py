"""What must hold inside the block `cache` of a rule, and beside it."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.cache import Cache
from meshway.model.names import TOKEN
from meshway.model.rule_kit import BlockRule, Finding, bounded, unique
from meshway.units import Size

_DAY_S: Final = 86_400.0
# Their meaning is of one exchange: nobody may keep them for another (RFC 9111 §3, RFC 9110 §15).
_NEVER_KEPT: Final = {206: "is a part of an answer", 304: "stands for an answer that somebody has already"}


def _methods(part: Any) -> Iterator[Finding]:
    yield from unique(part.methods, lambda at: f".methods[{at}]", "method")
    if "GET" not in part.methods:
        yield Finding(
            ".methods", "forbidden_combination", "needs GET: only answers to it are kept, HEAD gets their heads"
        )


def _statuses(part: Any) -> Iterator[Finding]:
    for at, status in enumerate(part.statuses):
        if status in _NEVER_KEPT:
            yield Finding(f".statuses[{at}]", "forbidden_combination", f"{status} {_NEVER_KEPT[status]}")
    yield from unique([str(each) for each in part.statuses], lambda at: f".statuses[{at}]", "status")


def _names(field: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        names = getattr(part, field)
        for at, name in enumerate(names):
            if not TOKEN.match(name):
                yield Finding(f".{field}[{at}]", "bad_name", f'"{name}" names no {field.removesuffix("s")}')
        folded = [name.lower() for name in names] if field == "headers" else names
        yield from unique(folded, lambda at: f".{field}[{at}]", field.removesuffix("s"))

    return BlockRule((field,), check)


def _query(part: Any) -> Iterator[Finding]:
    if part.query != "all":
        yield from unique(part.query, lambda at: f".query[{at}]", "name")


def _sizes(part: Any) -> Iterator[Finding]:
    if part.max_object > part.max_total:
        reason = f"{part.max_object} must be at most max_total, which is {part.max_total}"
        yield Finding(".max_object", "forbidden_combination", reason)


def told_apart(rule: Any) -> Iterator[Finding]:
    """Of a rule: a cookie by which it chooses says who calls, and one caller must not get what another's chose."""
    if rule.cache is None or rule.cache.per_principal:
        return
    reason = "reads a cookie, which is one caller's, and the rule keeps answers for all: write cache.per_principal"
    for at, match in enumerate(rule.match):
        if match.cookies:
            yield Finding(f".match[{at}].cookies", "forbidden_combination", reason)
    if rule.sticky is not None and rule.sticky.key == "cookie":
        yield Finding(".sticky", "forbidden_combination", reason)


CACHE_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Cache: (
        BlockRule(("methods",), _methods),
        BlockRule(("statuses",), _statuses),
        _names("headers"),
        _names("cookies"),
        BlockRule(("query",), _query),
        bounded("default_ttl", 0.0, _DAY_S, zero=True),
        bounded("max_ttl", 1.0, 366 * _DAY_S, zero=False),
        bounded("stale_while_revalidate", 0.0, _DAY_S, zero=True),
        bounded("stale_if_error", 0.0, _DAY_S, zero=True),
        bounded("coalesce_wait", 0.001, 60.0, zero=False),
        bounded("max_object", Size(1), Size(16 << 20), zero=False),
        bounded("max_total", Size(1 << 10), Size(1 << 30), zero=False),
        BlockRule(("max_object", "max_total"), _sizes),
    ),
}

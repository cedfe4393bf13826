"""Which caches a Route's rules have, and what they tell answers apart by. A cache lives on over table swaps while its
rule, and what its plan reads, are unchanged; with it go its answers."""

from collections.abc import Iterable, Sequence

from gateway.cache.rule_cache import RuleCache
from gateway.compiler.diff import Entry
from gateway.filters.limit import AppliedLimit
from gateway.plan import Parts
from meshway.http1.field_lines import METHOD_OVERRIDES
from meshway.model.match import Match
from meshway.model.route import Route, Rule

Reads = tuple[tuple[str, ...], tuple[str, ...]]
_HEADER = "header."
_COOKIE = "cookie."


def reads_of(
    rule: Rule,
    limits: Iterable[AppliedLimit],
    told: Iterable[bytes],
    shown: Iterable[tuple[Iterable[str], Iterable[str]]] = (),
    *,
    passes_override: bool,
) -> Reads:
    """Names of headers and of cookies that the plan reads, or writes for the service. told: of fields by which it is
    told who calls, and what those who were asked of him have answered. shown: headers and cookies with credentials,
    by which a service may tell callers apart as it may by Authorization."""
    headers = {name.decode() for name in told}
    cookies: set[str] = set()
    for of_headers, of_cookies in shown:
        headers.update(of_headers)
        cookies.update(of_cookies)
    policies = [applied.limit.policy for applied in limits]
    matches: list[Match] = [*rule.match, *(match for policy in policies for match in policy.match)]
    if rule.fault is not None and rule.fault.match is not None:
        matches.append(rule.fault.match)
    for match in matches:
        headers |= set(match.headers)
        cookies |= set(match.cookies)
    for part in (part for policy in policies for part in policy.key):
        if part.startswith(_HEADER):
            headers.add(part.removeprefix(_HEADER))
        elif part.startswith(_COOKIE):
            cookies.add(part.removeprefix(_COOKIE))
    for change in (rule.rewrite, rule.redirect):
        if change is not None and change.host_from_header is not None:
            headers.add(change.host_from_header)
    sticky = rule.sticky
    if sticky is not None and sticky.name is not None and sticky.key != "query":
        (headers if sticky.key == "header" else cookies).add(sticky.name)
    if passes_override:
        headers |= {name.decode() for name in METHOD_OVERRIDES}
    return tuple(sorted({name.lower() for name in headers})), tuple(sorted(cookies))


def cache_of(
    entry: Entry[Route], rule: Rule, name: str, reads: Reads, before: Sequence[RuleCache], parts: Parts
) -> RuleCache:
    """before: those of the Route as it ran until now."""
    for known in before:
        if known.name == name and known.rule == rule and known.reads == reads:
            return known
    return RuleCache(rule, reads, entry.title, name, parts.now, parts.wall, parts.counters)

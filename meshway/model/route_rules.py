"""What must hold inside a Route and its blocks."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from meshway.model.names import FIELD_VALUE, REFUSED_HEADERS, TOKEN, bad_host
from meshway.model.route import HeaderChanges, Match, PathMatch, PathRewrite, Redirect, Rewrite, Route, Rule
from meshway.model.rule_kit import BlockRule, Finding, member_path, one_of, unique

_ACTIONS: Final = ("destinations", "redirect", "respond")
_OF_A_SERVICE: Final = ("rewrite", "request_headers", "timeouts", "retry", "mirror", "compression", "sticky")


def _paths(*names: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        for name in names:
            value = getattr(part, name)
            if value is not None and ("?" in value or "#" in value):
                yield Finding(f".{name}", "out_of_bounds", f'"{value}": a path holds no "?" and no "#"')

    return BlockRule(names, check)


def _match_methods(part: Any) -> Iterator[Finding]:
    for at, method in enumerate(part.methods):
        if not TOKEN.match(method):
            yield Finding(f".methods[{at}]", "out_of_bounds", f'"{method}" is no HTTP method')
        elif method != method.upper():
            yield Finding(
                f".methods[{at}]", "out_of_bounds", f'"{method}": methods are case-sensitive, {method.upper()}?'
            )


def _header_names(field: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        seen: set[str] = set()
        for name in getattr(part, field):
            if not TOKEN.match(name):
                yield Finding(member_path(f".{field}", name), "bad_name", f'"{name}" is no header name')
            if name.lower() in seen:
                yield Finding(member_path(f".{field}", name), "duplicate", "header names differ in more than case")
            seen.add(name.lower())

    return BlockRule((field,), check)


def _changed_headers(field: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        changes = getattr(part, field)
        for at, name in enumerate(changes):
            path = f".{field}[{at}]" if isinstance(changes, tuple) else member_path(f".{field}", name)
            if not TOKEN.match(name):
                yield Finding(path, "bad_name", f'"{name}" is no header name')
            elif name.lower() in REFUSED_HEADERS:
                yield Finding(path, "forbidden_combination", f"{name} belongs to the gateway and cannot be changed")
            elif isinstance(changes, Mapping):
                if not FIELD_VALUE.match(changes[name]):
                    yield Finding(path, "out_of_bounds", "a header's value holds no control characters")
                elif "${" in changes[name]:
                    yield Finding(path, "unsupported", "variables in values are not built yet")

    return BlockRule((field,), check)


def _rule_action(part: Any) -> Iterator[Finding]:
    written = [name for name in _ACTIONS if getattr(part, name) not in (None, ())]
    if len(written) != 1:
        found = f"has {' and '.join(written)}" if written else "has none"
        yield Finding("", "forbidden_combination", f"needs exactly one of {', '.join(_ACTIONS)}; {found}")
    elif part.destinations and sum(destination.weight for destination in part.destinations) == 0:
        yield Finding(".destinations", "out_of_bounds", "the weights add up to 0: nobody would get a call")


def _rule_without_service(part: Any) -> Iterator[Finding]:
    action = "redirect" if part.redirect is not None else "respond" if part.respond is not None else ""
    if not action:
        return
    for name in _OF_A_SERVICE:
        if getattr(part, name) not in (None, ()):
            yield Finding(f".{name}", "forbidden_combination", f"has no use beside {action}, which calls no service")
    if part.response_headers is not None and part.response_headers.remove:
        yield Finding(
            ".response_headers.remove", "forbidden_combination", f"{action} answers with no header that could go"
        )


def _prefix_rewrites(part: Any) -> Iterator[Finding]:
    for name in ("rewrite", "redirect"):
        change = getattr(part, name)
        if change is None or change.path is None or change.path.prefix is None:
            continue
        if not part.match or any(match.path is None or match.path.prefix is None for match in part.match):
            yield Finding(
                f".{name}.path.prefix", "forbidden_combination", "needs every match of the rule to have path.prefix"
            )


def _rewrite_host(part: Any) -> Iterator[Finding]:
    if part.host is not None and (reason := bad_host(part.host.partition(":")[0], wildcard=False)):
        yield Finding(".host", "bad_name", reason)


def _redirect_somewhere(part: Any) -> Iterator[Finding]:
    if all(getattr(part, name) is None for name in ("path", "host", "scheme", "port")):
        yield Finding("", "missing_field", "needs at least one of path, host, scheme, port: it leads back to itself")


def _route_rules(part: Any) -> Iterator[Finding]:
    yield from unique((rule.name for rule in part.rules), lambda at: f".rules[{at}].name", "rule")


def _route_hosts(part: Any) -> Iterator[Finding]:
    mesh = "mesh" in part.listeners
    if mesh and not part.hosts:
        yield Finding(
            ".hosts", "missing_field", "listener mesh needs the hosts it serves: service or service.namespace"
        )
    for at, host in enumerate(part.hosts):
        if reason := bad_host(host, wildcard=not mesh):
            yield Finding(f".hosts[{at}]", "bad_name", reason)
    yield from unique(part.hosts, lambda at: f".hosts[{at}]", "host")
    yield from unique(part.listeners, lambda at: f".listeners[{at}]", "listener")


ROUTE_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    PathMatch: (one_of("exact", "prefix"), _paths("exact", "prefix")),
    Match: (BlockRule(("methods",), _match_methods), _header_names("headers")),
    PathRewrite: (one_of("full", "prefix"), _paths("full", "prefix")),
    Rewrite: (BlockRule(("host",), _rewrite_host),),
    Redirect: (
        BlockRule(("path", "host", "scheme", "port"), _redirect_somewhere),
        BlockRule(("host",), _rewrite_host),
    ),
    HeaderChanges: (_changed_headers("set"), _changed_headers("add"), _changed_headers("remove")),
    Rule: (
        BlockRule(_ACTIONS, _rule_action, whole=True),
        BlockRule(("redirect", "respond", "response_headers", *_OF_A_SERVICE), _rule_without_service),
        BlockRule(("match", "rewrite", "redirect"), _prefix_rewrites),
    ),
    Route: (BlockRule(("rules",), _route_rules), BlockRule(("listeners", "hosts"), _route_hosts)),
}

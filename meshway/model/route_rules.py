"""What must hold inside a Route and its blocks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from meshway.model.cache_rules import told_apart
from meshway.model.header_values import UnprovenVariable, parse_value, path_variables
from meshway.model.listener import MESH_TLS
from meshway.model.match_rules import MATCH_RULES, literal_paths
from meshway.model.names import FIELD_VALUE, REFUSED_HEADERS, TOKEN, bad_host
from meshway.model.path_rewrite import QUERY_TEXT, parse_substitution, rewrite_names
from meshway.model.precedence import path_names
from meshway.model.regex import group_count, regex_fault
from meshway.model.route import HeaderChanges, PathRewrite, Redirect, Rewrite, Route, Rule
from meshway.model.rule_kit import BlockRule, Finding, member_path, one_of, unique

_ELSEWHERE: Final = ("path", "host", "host_from_header", "scheme", "port")
_ACTIONS: Final = ("destinations", "redirect", "respond")
_OF_A_SERVICE: Final = (
    "rewrite", "request_headers", "timeouts", "retry", "hedge", "mirror", "compression", "sticky", "criticality",
    "cache", "websocket", "transcode",
)  # fmt: skip
_UNWRITTEN: Final = (None, (), "default")


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
                elif (fault := _value_fault(changes[name])) is not None:
                    yield Finding(path, *fault)

    return BlockRule((field,), check)


def _value_fault(value: str) -> tuple[str, str] | None:
    try:
        parse_value(value)
    except UnprovenVariable as error:
        return "unsupported", str(error)
    except ValueError as error:
        return "bad_template", str(error)
    return None


def _path_values(part: Any) -> Iterator[Finding]:
    """A name that only some of the paths have would now and then stand for nothing."""
    changes = {f".{name}": getattr(part, name) for name in ("request_headers", "response_headers")}
    for at, destination in enumerate(part.destinations):
        changes[f".destinations[{at}].request_headers"] = destination.request_headers
        changes[f".destinations[{at}].response_headers"] = destination.response_headers
    for place, change in changes.items():
        if change is not None:
            wanted = path_variables(change.set) | path_variables(change.add)
            yield from _unnamed(part, wanted, place, "${{path.{}}}")


def _unnamed(part: Any, names: Iterable[str], place: str, written: str) -> Iterator[Finding]:
    """written: how such a name is written there."""
    paths = [match.path for match in part.match] or [None]
    for name in sorted(names):
        if not all(path is not None and name in path_names(path) for path in paths):
            reason = f'every match of the rule needs a path that names "{name}", as template or regex'
            yield Finding(place, "forbidden_combination", f"{written.format(name)}: {reason}")


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
        if getattr(part, name) not in _UNWRITTEN:
            yield Finding(f".{name}", "forbidden_combination", f"has no use beside {action}, which calls no service")
    if part.response_headers is not None and part.response_headers.remove:
        yield Finding(
            ".response_headers.remove", "forbidden_combination", f"{action} answers with no header that could go"
        )


def _transcoded(part: Any) -> Iterator[Finding]:
    if part.transcode is None:
        return
    if part.rewrite is not None and part.rewrite.path is not None:
        yield Finding(".rewrite.path", "forbidden_combination", "transcode says the path: a method of the service")
    for name in ("cache", "compression"):
        if getattr(part, name) is not None:
            yield Finding(f".{name}", "forbidden_combination", "has no use beside transcode")
    yield from unique(part.transcode.services, lambda at: f".transcode.services[{at}]", "service")
    size = int(part.transcode.max_message)
    if not 1024 <= size <= 64 << 20:
        yield Finding(".transcode.max_message", "out_of_bounds", "is from 1KiB to 64MiB")


def _new_path(part: Any) -> Iterator[Finding]:
    for name in ("full", "template"):
        written = getattr(part, name)
        if written is not None and ("#" in written or not QUERY_TEXT.match(written.partition("?")[2])):
            reason = f'"{written}": no "#", and behind "?" only what a query may hold as it is'
            yield Finding(f".{name}", "out_of_bounds", reason)
    if part.template is None:
        return
    try:
        names = rewrite_names(part.template)
    except ValueError as error:
        yield Finding(".template", "bad_template", str(error))
        return
    if not names:
        yield Finding(".template", "bad_template", 'it holds no {name}: write "full"')


def _substitution(part: Any) -> Iterator[Finding]:
    if part.regex is None:
        if part.substitution is not None:
            yield Finding(".substitution", "forbidden_combination", "is for regex")
        return
    if part.substitution is None:
        yield Finding(".substitution", "missing_field", "is required: what stands where regex fits")
    if reason := regex_fault(part.regex):
        yield Finding(".regex", "bad_regex", f"RE2: {reason}")
    elif part.substitution is not None:
        yield from _references(part.regex, part.substitution)


def _references(regex: str, substitution: str) -> Iterator[Finding]:
    if "?" in substitution or "#" in substitution:
        yield Finding(".substitution", "out_of_bounds", f'"{substitution}": a path holds no "?" and no "#"')
    try:
        highest = max((part for part in parse_substitution(substitution) if isinstance(part, int)), default=0)
    except ValueError as error:
        yield Finding(".substitution", "bad_template", str(error))
        return
    groups = group_count(regex)
    if groups is not None and highest > groups:
        yield Finding(".substitution", "bad_template", f"\\{highest}: regex has {groups} groups")


def _template_rewrites(part: Any) -> Iterator[Finding]:
    """As of headers: a name that only some of the paths have would now and then stand for nothing."""
    for field in ("rewrite", "redirect"):
        change = getattr(part, field)
        if change is not None and change.path is not None and change.path.template is not None:
            names = rewrite_names(change.path.template)
            yield from _unnamed(part, names, f".{field}.path.template", "{{{}}}")


def _prefix_rewrites(part: Any) -> Iterator[Finding]:
    for name in ("rewrite", "redirect"):
        change = getattr(part, name)
        if change is None or change.path is None or change.path.prefix is None:
            continue
        paths = [match.path for match in part.match]
        if not paths or any(path is None or path.prefix is None or path.ignore_case for path in paths):
            yield Finding(
                f".{name}.path.prefix",
                "forbidden_combination",
                "needs every match of the rule to have path.prefix, in its case",
            )


def _rewrite_host(part: Any) -> Iterator[Finding]:
    if part.host is not None and (reason := bad_host(part.host.partition(":")[0], wildcard=False)):
        yield Finding(".host", "bad_name", reason)


def _host_header(part: Any) -> Iterator[Finding]:
    if part.host_from_header is None:
        return
    if part.host is not None:
        yield Finding(".host_from_header", "forbidden_combination", "says the same as host: write one of them")
    if not TOKEN.match(part.host_from_header):
        yield Finding(".host_from_header", "bad_name", f'"{part.host_from_header}" is no header name')


def _redirect_somewhere(part: Any) -> Iterator[Finding]:
    if all(getattr(part, name) is None for name in _ELSEWHERE):
        yield Finding("", "missing_field", f"needs at least one of {', '.join(_ELSEWHERE)}: it leads back to itself")


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
    for at, name in enumerate(part.listeners):
        if name == MESH_TLS:
            yield Finding(f".listeners[{at}]", "forbidden_combination", "a Route of the mesh is for all of it: mesh")


ROUTE_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    **MATCH_RULES,
    PathRewrite: (
        one_of("full", "prefix", "template", "regex"),
        literal_paths("prefix"),
        BlockRule(("full", "template"), _new_path),
        BlockRule(("regex", "substitution"), _substitution, whole=True),
    ),
    Rewrite: (BlockRule(("host",), _rewrite_host), BlockRule(("host", "host_from_header"), _host_header)),
    Redirect: (
        BlockRule(_ELSEWHERE, _redirect_somewhere),
        BlockRule(("host",), _rewrite_host),
        BlockRule(("host", "host_from_header"), _host_header),
    ),
    HeaderChanges: (_changed_headers("set"), _changed_headers("add"), _changed_headers("remove")),
    Rule: (
        BlockRule(_ACTIONS, _rule_action, whole=True),
        BlockRule(("redirect", "respond", "response_headers", *_OF_A_SERVICE), _rule_without_service),
        BlockRule(("transcode", "rewrite", "cache", "compression"), _transcoded),
        BlockRule(("match", "rewrite", "redirect"), _prefix_rewrites),
        BlockRule(("match", "rewrite", "redirect"), _template_rewrites),
        BlockRule(("match", "destinations", "request_headers", "response_headers"), _path_values),
        BlockRule(("match", "cache", "sticky"), told_apart),
    ),
    Route: (BlockRule(("rules",), _route_rules), BlockRule(("listeners", "hosts"), _route_hosts)),
}

"""What must hold inside a Match and its parts."""

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.match import Match, PathMatch, Source, StringMatch
from meshway.model.names import TOKEN
from meshway.model.path_template import parse_template
from meshway.model.regex import regex_fault
from meshway.model.rule_kit import BlockRule, Finding, member_path, one_of

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_TESTS: Final = ("exact", "prefix", "suffix", "contains", "regex", "in_", "present")


def literal_paths(*names: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        for name in names:
            value = getattr(part, name)
            if value is not None and ("?" in value or "#" in value):
                yield Finding(f".{name}", "out_of_bounds", f'"{value}": a path holds no "?" and no "#"')

    return BlockRule(names, check)


def header_names(field: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        seen: set[str] = set()
        for name in getattr(part, field):
            if not TOKEN.match(name):
                yield Finding(member_path(f".{field}", name), "bad_name", f'"{name}" is no header name')
            if name.lower() in seen:
                yield Finding(member_path(f".{field}", name), "duplicate", "header names differ in more than case")
            seen.add(name.lower())

    return BlockRule((field,), check)


def _one_test(part: Any) -> Iterator[Finding]:
    written = [name.rstrip("_") for name in _TESTS if getattr(part, name) not in (None, ())]
    if len(written) != 1:
        found = f"has {' and '.join(written)}" if written else "has none"
        names = ", ".join(name.rstrip("_") for name in _TESTS)
        yield Finding("", "forbidden_combination", f"needs exactly one of {names}; {found}")
    elif part.present is not None and (part.ignore_case or part.invert):
        yield Finding("", "forbidden_combination", "present is true or false; ignore_case and invert say nothing of it")


def _regex(part: Any) -> Iterator[Finding]:
    if part.regex is not None and (reason := regex_fault(part.regex)):
        yield Finding(".regex", "bad_regex", f"RE2: {reason}")


def _template(part: Any) -> Iterator[Finding]:
    if part.template is None:
        return
    try:
        parse_template(part.template)
    except ValueError as error:
        yield Finding(".template", "bad_template", str(error))


def _methods(part: Any) -> Iterator[Finding]:
    for at, method in enumerate(part.methods):
        if not TOKEN.match(method):
            yield Finding(f".methods[{at}]", "out_of_bounds", f'"{method}" is no HTTP method')
        elif method != method.upper():
            yield Finding(
                f".methods[{at}]", "out_of_bounds", f'"{method}": methods are case-sensitive, {method.upper()}?'
            )


def _cookie_names(part: Any) -> Iterator[Finding]:
    for name in part.cookies:
        if not TOKEN.match(name):
            yield Finding(member_path(".cookies", name), "bad_name", f'"{name}" is no cookie name')


def network_fault(text: str) -> str | None:
    """Addresses of IPv4 are judged as such however they come, so none is in a network of mapped ones (RFC 4291
    §2.5.5.2): a rule that denies it would deny nobody."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        return f"{error}: write 10.0.0.0/8 or fd00::/8"
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        first = network.network_address.ipv4_mapped
        return f"{text} holds nobody, since callers of IPv4 are known by that: write {first}/{network.prefixlen - 96}"
    return None


def networks(name: str) -> BlockRule:
    """A field that holds networks."""

    def check(part: Any) -> Iterator[Finding]:
        for at, network in enumerate(getattr(part, name) or ()):
            if (fault := network_fault(network)) is not None:
                yield Finding(f".{name}[{at}]", "out_of_bounds", fault)

    return BlockRule((name,), check)


COOKIELESS_MATCH_RULES: Final = (BlockRule(("methods",), _methods), header_names("headers"))
MATCH_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    StringMatch: (
        BlockRule((*_TESTS, "ignore_case", "invert"), _one_test, whole=True),
        BlockRule(("regex",), _regex),
    ),
    PathMatch: (
        one_of("exact", "prefix", "template", "regex", "string_prefix"),
        literal_paths("exact", "prefix", "template", "string_prefix"),
        BlockRule(("template",), _template),
        BlockRule(("regex",), _regex),
    ),
    Source: (networks("cidr"),),
    Match: (*COOKIELESS_MATCH_RULES, BlockRule(("cookies",), _cookie_names)),
}

"""Which matches of a Route can never have a call: another one is asked before and takes all that they would take.

What is told is so; what is not told may be so all the same (two expressions are not compared).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from meshway.model.match import Match, PathMatch
from meshway.model.precedence import match_rank
from registry.documents.claims import normal_match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.route import Route

_LITERAL: Final = re.compile(r"[A-Za-z0-9/_~-]*")
_MAY_BE_ABSENT: Final = frozenset("*?{")


def shadowed_rules(route: Route) -> Iterator[tuple[int, int]]:
    """Places of a rule and of the rule that stands before it, for each rule whose every match is covered."""
    matches = [
        (at, place, normal_match(match))
        for at, rule in enumerate(route.rules)
        for place, match in enumerate(rule.match or (Match(),))
    ]
    if route.order == "specificity":
        matches.sort(key=lambda one: (*match_rank(one[2]), one[0], one[1]))
    covered: dict[int, list[int | None]] = {}
    for index, (at, _, match) in enumerate(matches):
        before = (earlier for earlier, _, wider in matches[:index] if earlier != at and covers(wider, match))
        covered.setdefault(at, []).append(next(before, None))
    for at, by in sorted(covered.items()):
        if None not in by and by[0] is not None:
            yield at, by[0]


def covers(wider: Match, match: Match) -> bool:
    """Whether every call that `match` takes is one that `wider` takes. Both as `normal_match` writes them."""
    return (
        covers_path(wider.path, match.path)
        and (not wider.methods or (bool(match.methods) and set(match.methods) <= set(wider.methods)))
        and wider.headers.items() <= match.headers.items()
        and wider.query.items() <= match.query.items()
        and wider.cookies.items() <= match.cookies.items()
        and wider.source in (None, match.source)
        and wider.scheme in (None, match.scheme)
    )


def covers_path(wider: PathMatch | None, path: PathMatch | None) -> bool:
    if wider is None or wider.prefix == "/" or wider == path:
        return True
    if path is None or (path.ignore_case and not wider.ignore_case):
        return False
    head = literal_head(path)
    begins = wider.prefix or wider.string_prefix
    if wider.ignore_case:
        head, begins = head.lower(), begins and begins.lower()
    if begins is None:
        return False
    if wider.string_prefix is not None:
        return head.startswith(begins)
    is_whole = path.string_prefix is None and path.regex is None and head == begins
    return is_whole or head.startswith(begins + "/")


def literal_head(path: PathMatch) -> str:
    """What every path that fits begins with, as far as it is plain to see."""
    whole = path.exact or path.prefix or path.string_prefix
    if whole is not None:
        return whole
    if path.template is not None:
        return path.template.partition("{")[0]
    regex = path.regex or ""
    if "|" in regex:
        return ""
    head = _LITERAL.match(regex)
    text = "" if head is None else head[0]
    return text[:-1] if regex[len(text) : len(text) + 1] in _MAY_BE_ABSENT else text

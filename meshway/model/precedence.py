"""Which of two matches is asked first, after Gateway API; the smaller goes first.

Gateways order their tables by it, and the registry tells by it which rule stands in the way of another.
"""

from typing import Any, Final

from meshway.model.match import Match, PathMatch
from meshway.model.path_template import parse_template
from meshway.model.regex import group_names
from meshway.model.route import Route

EXACT: Final = 0
TREE: Final = 1  # templates and prefixes
PATTERN: Final = 2  # regex and string_prefix

_TEMPLATE: Final = 0
_REST: Final = 1
_PREFIX: Final = 2

Rank = tuple[Any, ...]
PathRank = tuple[int, int, int, bool]
MatchRank = tuple[int, int, int, bool, bool, int, int, int]


def match_rank(match: Match) -> MatchRank:
    """Path; a method asked for; more headers and cookies; more query names; more of the caller."""
    return (
        *path_rank(match.path),
        not match.methods,
        -len(match.headers) - len(match.cookies),
        -len(match.query),
        -int(match.source is not None) - int(match.scheme is not None),
    )


def asked_at(route: Route, match: MatchRank, age: str, title: str, rule: int, at: int) -> Rank:
    """Among all matches of a host: priority; the match's own; the older Route, its `namespace/name`; places in it.

    A listed Route is alone at its priority; where it is not, because two registries wrote at once, it goes first.
    """
    priority = -route.priority
    if route.order == "listed":
        return (priority, 0, age, title, rule, at)
    return (priority, 1, *match, age, title, rule, at)


def path_rank(path: PathMatch | None) -> PathRank:
    """Exact, then the tree by its literal characters, a template before a prefix, then patterns by their length."""
    if path is None:
        return (TREE, 0, _PREFIX, False)
    if path.exact is not None:
        return (EXACT, -len(path.exact), 0, path.ignore_case)
    if path.prefix is not None:
        return (TREE, -len(path.prefix.rstrip("/")), _PREFIX, path.ignore_case)
    if path.template is not None:
        segments = parse_template(path.template)
        literals = sum(1 + len(segment.literal or "") for segment in segments)
        return (TREE, -literals, _REST if segments[-1].is_rest else _TEMPLATE, path.ignore_case)
    return (PATTERN, -len(path.regex or path.string_prefix or ""), 0, path.ignore_case)


def path_names(path: PathMatch) -> frozenset[str]:
    """The names that this path has a value for whenever it fits: of a template, or of a regex `(?P<name>…)`."""
    if path.template is not None:
        return frozenset(segment.name for segment in parse_template(path.template) if segment.name)
    return frozenset(group_names(path.regex)) if path.regex is not None else frozenset()

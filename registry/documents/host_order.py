"""The matches of all Routes of one host in the order in which gateways ask them, to see which of them get no call.

A match is compared only with those whose path leads to its own: found by what they begin with, not by asking all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.model.match import Match
from meshway.model.precedence import Rank, asked_at, match_rank
from meshway.model.route import Route
from registry.documents.claims import normal_match
from registry.documents.shadows import covers, literal_head
from registry.view.rows import time_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from meshway.model.match import PathMatch
    from registry.view.rows import DocumentKey, DocumentRow

MOST_ROUTES: Final = 200  # of a host; where there are more a write would wait for what is only a warning
_ANY: Final = ("any",)


class Asked(NamedTuple):
    """One match of one rule. of, rule: the Route and the place in it. match: as `normal_match` writes it."""

    rank: Rank
    of: DocumentKey
    rule: int
    match: Match


class HostOrder:
    """rows: the Routes of one host."""

    def __init__(self, rows: Iterable[DocumentRow]) -> None:
        self.asked = sorted((asked for row in rows for asked in _asked(row)), key=lambda asked: asked.rank)
        self._of: dict[DocumentKey, list[Asked]] = {}
        self._wide: dict[Hashable, list[Asked]] = {}
        self._has_strings = False
        for asked in self.asked:
            self._wide.setdefault(_reach(asked.match.path), []).append(asked)
            self._of.setdefault(asked.of, []).append(asked)
            path = asked.match.path
            self._has_strings = self._has_strings or (path is not None and path.string_prefix is not None)

    def of(self, key: DocumentKey) -> list[Asked]:
        return self._of.get(key, [])

    def taker(self, asked: Asked) -> Asked | None:
        """The first match of another rule that is asked before and takes every call that this one would take."""
        found = [
            wider
            for reach in self._reaches(asked.match.path)
            for wider in self._wide.get(reach, ())
            if wider.rank < asked.rank
            and (wider.of, wider.rule) != (asked.of, asked.rule)
            and covers(wider.match, asked.match)
        ]
        return min(found, key=lambda wider: wider.rank, default=None)

    def _reaches(self, path: PathMatch | None) -> Iterator[Hashable]:
        """Of all paths that may cover this one."""
        yield _ANY
        if path is None:
            return
        yield path
        for head in dict.fromkeys((literal_head(path), literal_head(path).lower())):
            for end in range(1, len(head) + 1):
                if end == len(head) or head[end] == "/":
                    yield ("prefix", head[:end])
                if self._has_strings:
                    yield ("string", head[:end])


def _reach(path: PathMatch | None) -> Hashable:
    if path is None:
        return _ANY
    for kind, text in (("prefix", path.prefix), ("string", path.string_prefix)):
        if text is not None:
            return _ANY if text == "/" else (kind, text.lower() if path.ignore_case else text)
    return path


def _asked(row: DocumentRow) -> Iterator[Asked]:
    spec = row.spec
    if not isinstance(spec, Route):
        return
    _, namespace, name = row.key
    for at, rule in enumerate(spec.rules):
        for place, written in enumerate(rule.match or (Match(),)):
            match = normal_match(written)
            rank = asked_at(spec, match_rank(match), time_text(row.created_at), f"{namespace}/{name}", at, place)
            yield Asked(rank, row.key, at, match)

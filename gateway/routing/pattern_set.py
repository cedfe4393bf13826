"""All regular expressions of one host's paths, asked at once (RE2's sets), whatever their number.

A set that outgrows RE2's memory is made as two. Where a set could not search, it would find nothing and say nothing: so
each holds an expression that must be found, and is asked for it when it is made.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import re2

_NOWHERE: Final = b"\x01"  # in no canonical path


class Pattern(NamedTuple):
    """text: RE2, over the whole path. is_prefix: the text stands for itself, and anything may follow."""

    text: str
    ignore_case: bool = False
    is_prefix: bool = False


class PatternSet:
    """patterns: each of which compiles alone; `match` answers places in it."""

    __slots__ = ("_sets",)

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._sets: list[tuple[Any, tuple[int, ...]]] = []
        for folds in (False, True):
            places = tuple(at for at, pattern in enumerate(patterns) if pattern.ignore_case == folds)
            if places:
                self._sets += _sets(patterns, places, folds)

    def match(self, path: bytes) -> tuple[int, ...]:
        """Places of all that hold, in no order."""
        found: tuple[int, ...] = ()
        for group, places in self._sets:
            found += tuple([places[at] for at in group.Match(path) or ()])
        return found


def _sets(patterns: Sequence[Pattern], places: tuple[int, ...], folds: bool) -> list[tuple[Any, tuple[int, ...]]]:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not folds
    group = re2.Set.FullMatchSet(options)
    try:
        for at in places:
            group.Add(_expression(patterns[at]))
        group.Add(_NOWHERE)
        group.Compile()
        is_sound = group.Match(_NOWHERE) == [len(places)]
    except re2.error:
        is_sound = False
    if is_sound:
        return [(group, places)]
    if len(places) == 1:
        raise ValueError(f"{patterns[places[0]].text}: the expression needs more memory than RE2 may take")
    middle = len(places) // 2
    return _sets(patterns, places[:middle], folds) + _sets(patterns, places[middle:], folds)


def _expression(pattern: Pattern) -> bytes:
    # Not (?s): a canonical path holds no line end, and the user's own flags are his.
    return re2.escape(pattern.text.encode()) + b".*" if pattern.is_prefix else pattern.text.encode()

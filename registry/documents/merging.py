"""A change that was begun on an older state of a document, brought to the present one, field by field. Pure.

What only one side changed is taken; what both changed alike is no conflict; what both changed otherwise is one, and
theirs stands in it. Lists of one length are merged place by place, as differences show them; where one side has added
or taken away, the whole list is one field: places mean no longer the same. Source: diff3 (Khanna, Kunal, Pierce 2007).
"""

from __future__ import annotations

from typing import Any

import msgspec

from meshway.model.rule_kit import member_path


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """path: `spec.rules[0].timeouts.deadline`. None: not written, or no document."""

    path: str
    base: Any
    mine: Any
    theirs: Any


def merged(base: Any, mine: Any, theirs: Any, path: str = "") -> tuple[Any, list[Conflict]]:
    """The value that has both changes, and where they cannot be had together. None stands for what is not written."""
    if mine in (theirs, base):
        return theirs, []
    if theirs == base:
        return mine, []
    if isinstance(mine, dict) and isinstance(theirs, dict) and isinstance(base, dict | None):
        return _merged_members(base or {}, mine, theirs, path)
    lists = (base, mine, theirs)
    if all(isinstance(one, list) for one in lists) and len(base) == len(mine) == len(theirs):
        found = [merged(*three, f"{path}[{at}]") for at, three in enumerate(zip(*lists, strict=True))]
        return [value for value, _ in found], [conflict for _, of in found for conflict in of]
    return theirs, [Conflict(path=path, base=base, mine=mine, theirs=theirs)]


def _merged_members(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any], path: str
) -> tuple[dict[str, Any], list[Conflict]]:
    told: dict[str, Any] = {}
    conflicts: list[Conflict] = []
    for key in (*theirs, *(key for key in mine if key not in theirs)):
        at = member_path(path, key) if path else key
        value, found = merged(base.get(key), mine.get(key), theirs.get(key), at)
        conflicts += found
        if value is not None:
            told[key] = value
    return told, conflicts

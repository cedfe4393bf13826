"""Three-way merges, field by field."""

from __future__ import annotations

import random
from typing import Any

import pytest

from registry.documents.merging import Conflict, merged


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "wanted"),
    [
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [0, 2]}, {"a": [0, 3]}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1]}, {"a": [1, 2]}),
        ({"a": 1}, None, {"a": 1}, None),
        (None, {"a": 1}, {"a": 1}, {"a": 1}),
        ({}, {"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
    ],
)
def test_what_only_one_side_changed_is_taken(base: Any, mine: Any, theirs: Any, wanted: Any) -> None:
    assert merged(base, mine, theirs) == (wanted, [])


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "at"),
    [
        ({"spec": {"a": 1}}, {"spec": {"a": 2}}, {"spec": {"a": 3}}, "spec.a"),
        ({"r": [{"w": 1}]}, {"r": [{"w": 2}]}, {"r": [{"w": 3}]}, "r[0].w"),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [3]}, "a"),
        ({"a": 1}, None, {"a": 2}, ""),
        ({"a": {"x": 1}}, {}, {"a": {"x": 2}}, "a"),
    ],
)
def test_what_both_changed_otherwise_is_a_conflict_and_theirs_stands(
    base: Any, mine: Any, theirs: Any, at: str
) -> None:
    value, conflicts = merged(base, mine, theirs)
    assert [conflict.path for conflict in conflicts] == [at]
    assert value == theirs


def test_a_conflict_tells_all_three() -> None:
    _, conflicts = merged({"a": 1}, {"a": 2}, {"a": 3})
    assert conflicts == [Conflict(path="a", base=1, mine=2, theirs=3)]


def test_merging_is_the_same_from_both_sides_where_nothing_conflicts() -> None:
    seed = random.randrange(2**32)
    draw = random.Random(seed)

    def value(depth: int) -> Any:
        kind = draw.random()
        if depth == 0 or kind < 0.4:
            return draw.randrange(3)
        if kind < 0.6:
            return [value(depth - 1) for _ in range(draw.randrange(3))]
        return {name: value(depth - 1) for name in "abc" if draw.random() < 0.7}

    for _ in range(2000):
        base, mine, theirs = value(3), value(3), value(3)
        one, conflicts = merged(base, mine, theirs)
        other, others = merged(base, theirs, mine)
        assert {each.path for each in conflicts} == {each.path for each in others}, seed
        if not conflicts:
            assert one == other, seed
        assert merged(base, mine, base) == (mine, []), seed
        assert merged(base, base, theirs) == (theirs, []), seed

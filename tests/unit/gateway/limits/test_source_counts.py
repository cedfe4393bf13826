"""Bounds of one source, over the workers of a host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.host_table import HostTable
from gateway.limits.source_counts import SourceCounts
from gateway.source_cells import WAYS, SourceCells, key_of

HERE, OTHER = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[list[SourceCells]]:
    path = tmp_path / "host"
    with HostTable.create(path, 2) as first, HostTable(path, 1) as second:
        yield [first.sources, second.sources]


def test_workers_let_in_together_what_one_bound_says_of_a_source(cells: list[SourceCells]) -> None:
    here, there = (SourceCounts("a", each) for each in cells)
    assert [here.take(HERE, 3), there.take(HERE, 3), there.take(HERE, 3)] == [True] * 3
    assert [here.take(HERE, 3), there.take(HERE, 3)] == [False] * 2
    assert [here.take(OTHER, 3), SourceCounts("b", cells[0]).take(HERE, 1)] == [True] * 2
    there.leave(HERE)
    assert [here.take(HERE, 3), here.take(HERE, 3)] == [True, False]
    for _ in range(2):
        here.leave(HERE)
    there.leave(HERE)
    assert [there.take(HERE, 3) for _ in range(4)] == [True, True, True, False]


def test_those_that_came_before_there_was_a_bound_are_told_with_the_next(cells: list[SourceCells]) -> None:
    here, there = (SourceCounts("a", each) for each in cells)
    assert all(here.take(HERE, 0) for _ in range(4))
    assert cells[1].of_others(key_of("a", HERE)) == 0, "nobody is told where there is no bound"
    assert here.take(HERE, 6)
    assert [there.take(HERE, 6), there.take(HERE, 6)] == [True, False]


def test_a_source_without_a_cell_is_bounded_by_its_worker_alone(cells: list[SourceCells]) -> None:
    key = key_of("a", HERE)
    for number in range(1, WAYS + 1):
        cells[0].claim(key + number * 2048, 1)
    here, there = (SourceCounts("a", each) for each in cells)
    assert [here.take(HERE, 2), here.take(HERE, 2), here.take(HERE, 2)] == [True, True, False]
    assert [there.take(HERE, 2), there.take(HERE, 2)] == [True, True]
    here.leave(HERE)
    assert not here.take(HERE, 2), "what the other one has is seen all the same"


def test_a_worker_alone_counts_its_own() -> None:
    counts = SourceCounts("a", None)
    assert [counts.take(HERE, 1), counts.take(HERE, 1), counts.take(HERE, 0)] == [True, False, True]
    counts.leave(HERE)
    counts.leave(HERE)
    assert counts.take(HERE, 1)

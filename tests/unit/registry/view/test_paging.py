import pytest

from meshway.problem import Problem
from registry.view.paging import page

ROWS = [("a", str(at)) for at in range(5)]


def pages(rows: list[tuple[str, str]], limit: int) -> list[list[tuple[str, str]]]:
    found, cursor = page(rows, lambda row: row, limit=limit, cursor=None)
    result = [found]
    while cursor is not None:
        found, cursor = page(rows, lambda row: row, limit=limit, cursor=cursor)
        result.append(found)
    return result


def test_pages_hold_everything_once() -> None:
    assert [len(found) for found in pages(ROWS, 2)] == [2, 2, 1]
    assert [row for found in pages(ROWS, 2) for row in found] == ROWS
    assert pages(ROWS, 5) == [ROWS]
    assert pages([], 5) == [[]]


def test_rows_that_go_between_pages_do_not_hide_others() -> None:
    found, cursor = page(ROWS, lambda row: row, limit=2, cursor=None)
    rest, _ = page(ROWS[2:], lambda row: row, limit=5, cursor=cursor)
    assert found + rest == ROWS


@pytest.mark.parametrize("cursor", ["x", "!!!", "", "AAAA", "é"])
def test_a_cursor_nobody_gave_out_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        page(ROWS, lambda row: row, limit=2, cursor=cursor)
    assert refused.value.status == 422


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    with pytest.raises(Problem):
        page(ROWS, lambda row: row, limit=limit, cursor=None)

"""What docs/guide/eureka.md and docs/guide/nacos.md say of each call is so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.parts.processes import ROOT

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry

_SPAN = re.compile(r"`([A-Z]*) ?(/[^`]*)?`")
_HELD = {"APP": "ORDERS", "ID": "i1", "VIP": "orders", "key=value": "a=b", "…": "liveness"}


class Row(NamedTuple):
    calls: list[tuple[str, str]]
    is_served: bool


def rows_of(page: str) -> list[Row]:
    """The table of calls: `GET /a`, `/b`, and `PUT`, `DELETE /c` share a cell."""
    text = (ROOT / "docs" / "guide" / page).read_text()
    table = text.partition("| call | served |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = []
    for line in table.splitlines():
        cell, said = line.strip("| ").split(" | ", 1)
        calls: list[tuple[str, str]] = []
        methods: list[str] = []
        is_open = True  # further methods stand beside the ones before, until a path comes
        for method, path in _SPAN.findall(cell):
            if method:
                methods = [*methods, method] if is_open else [method]
                is_open = not path
            calls += [(one, path) for one in methods or ["GET"] if path]
        rows.append(Row(calls, not said.startswith("no")))
    return rows


@pytest.mark.parametrize(("page", "family"), [("eureka.md", "/eureka"), ("nacos.md", "/nacos")])
async def test_each_call_of_the_table_is_served_or_refused_as_it_says(
    registry: RunningRegistry, page: str, family: str
) -> None:
    rows = rows_of(page)
    assert sum(len(row.calls) for row in rows) >= 14
    for row in rows:
        for method, path in row.calls:
            for name, value in _HELD.items():
                path = path.replace(name, value)
            answer = await registry.call(method, family + path, b"" if method in ("POST", "PUT") else None)
            if row.is_served:
                assert b"is not served here" not in answer.body, (method, path, answer)
            else:
                assert answer.status in (400, 404), (method, path, answer)

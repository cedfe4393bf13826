"""The table of promises names code and tests that are there."""

import re
from pathlib import Path

from tests.parts.processes import ROOT

_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
_CODE = re.compile(r"`((?:\w+/)+\w+\.(?:py|md))`")
_FEWEST = 50


def problems(page: str, root: Path) -> list[str]:
    """What a page of promises says that is not so: a test or a file that is not there, a row without either."""
    found: list[str] = []
    for line in page.splitlines():
        if not line.startswith("| ") or line.startswith("| promise |"):
            continue
        for name, function in _TEST.findall(line):
            path = root / "tests" / name
            if not path.is_file() or not re.search(rf"def test_{function}\(", path.read_text()):
                found.append(f"{name}::{function}")
        found += [name for name in _CODE.findall(line) if not (root / name).is_file()]
        if not _TEST.search(line) and not _CODE.search(line):
            found.append(line)
    return found


def test_what_the_promises_name_is_there() -> None:
    page = (ROOT / "docs/internals/promises.md").read_text()
    assert len(_TEST.findall(page)) >= _FEWEST
    assert problems(page, ROOT) == []


def test_what_is_not_there_is_told() -> None:
    page = """
| it holds | `registry/core.py` | `unit/docs/test_promises.py::what_is_not_there_is_told` |
| it moved | `registry/gone.py` | `unit/docs/test_promises.py::was_renamed` |
| it is hoped | | |
"""
    assert problems(page, ROOT) == [
        "unit/docs/test_promises.py::was_renamed",
        "registry/gone.py",
        "| it is hoped | | |",
    ]

"""Copies of the HTTP/1.1 readers with one rule taken out each, to show that the raw tables notice."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import meshway.http1
from tests.parts import raw_reader

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Mutation:
    """name: the rule that is missing. In the file (of meshway/http1) old stands exactly once and becomes new."""

    name: str
    file: str
    old: str
    new: str

    def __str__(self) -> str:
        return self.name


def build(mutation: Mutation, folder: Path) -> Any:
    """The raw_reader module, running on the changed readers."""
    name = f"mutant_{folder.name.replace('-', '_')}_{abs(hash(mutation))}"
    package = folder / name
    package.mkdir()
    (package / "__init__.py").touch()
    source = Path(meshway.http1.__file__).parent
    for path in [*source.glob("*.py"), Path(raw_reader.__file__)]:
        text = path.read_text()
        if path.name == mutation.file:
            assert text.count(mutation.old) == 1, (
                f"{mutation.file} holds {mutation.old!r} {text.count(mutation.old)} times"
            )
            text = text.replace(mutation.old, mutation.new)
        (package / path.name).write_text(text.replace("meshway.http1", name))
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(f"{name}.raw_reader")
    finally:
        sys.path.remove(str(folder))


def failing(rows: tuple[Row, ...], check: Callable[[Row], None]) -> list[Row]:
    """The rows that are judged otherwise."""
    caught = []
    for row in rows:
        try:
            check(row)
        except (AssertionError, ValueError, KeyError, IndexError):
            caught.append(row)
    return caught

"""RESULTS.md: the targets of all, a section for each thing that was measured, and behind them the registry's.

Each is written as soon as it is measured, in the place of its last figures; the others stay as they are.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from loadtest import targets

RESULTS: Final = Path(__file__).parent / "RESULTS.md"
REGISTRY: Final = "The registry"
_TARGETS: Final = "Targets"
_HEADING: Final = re.compile(r"^## (.+)\n", re.MULTILINE)


def write_head(text: str, path: Path | None = None) -> None:
    """What is said of the run and the machine, before all sections."""
    _, sections = _read(path or RESULTS)
    _write(path or RESULTS, text, sections)


def write_section(name: str, text: str, order: Sequence[str] = (), path: Path | None = None) -> None:
    """text: without its heading. order: names as they follow each other; what is not among them goes behind."""
    head, sections = _read(path or RESULTS)
    sections[name] = text.strip()
    ranks = {each: rank for rank, each in enumerate(order)}
    ordered = sorted(sections, key=lambda each: (each == REGISTRY, ranks.get(each, len(ranks))))
    _write(path or RESULTS, head, {each: sections[each] for each in ordered})


def write_registry(text: str) -> None:
    """text: without its heading."""
    write_section(REGISTRY, text)


def _read(path: Path) -> tuple[str, dict[str, str]]:
    parts = _HEADING.split(path.read_text()) if path.exists() else ["# Results"]
    sections = {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    sections.pop(_TARGETS, None)
    return parts[0].strip(), sections


def _write(path: Path, head: str, sections: dict[str, str]) -> None:
    """Whole or not at all, for a run may be killed at any time."""
    ours = {name: text for name, text in sections.items() if name != REGISTRY}
    listed = {_TARGETS: targets.table(ours)} if any(map(targets.read, ours.values())) else {}
    blocks = [head.strip(), *(f"## {name}\n\n{text}" for name, text in (listed | sections).items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("\n\n".join(blocks) + "\n")
    fresh.replace(path)

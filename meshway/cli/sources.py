"""Where published documents were written: told to the registry, for `explain`, `describe` and `history` to say."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from meshway.cli.written_files import STDIN_NAME, FileDocument
from meshway.model.document_source import MOST_LINES, enclosing

_MOST_CHARACTERS: Final = 256
_UNTOLD: Final = re.compile(r"[\\:\x00-\x1f\x7f]")


def sources(documents: Sequence[FileDocument]) -> list[dict[str, Any]]:
    """`sources` of an apply."""
    return [
        {
            "kind": document.sent["kind"],
            "namespace": document.sent["metadata"]["namespace"],
            "name": document.sent["metadata"]["name"],
            "source": {
                "file": told_file(document.written.file_of("")),
                "line": document.written.place("").line,
                "lines": lines_of(document),
            },
        }
        for document in documents
    ]


def told_file(file: str) -> str:
    """As it lies below the folder the command runs in, else its bare name: paths of a machine are nobody's business."""
    if file == STDIN_NAME:
        return file
    below = os.path.relpath(file)
    path = Path(file).name if below.startswith(os.pardir) or Path(below).is_absolute() else Path(below).as_posix()
    return _UNTOLD.sub("_", path)[-_MOST_CHARACTERS:].lstrip("/~") or "_"


def lines_of(document: FileDocument) -> dict[str, int]:
    """The lines of fields that do not stand on the line of the block around them; of too many the outer ones."""
    written = document.written
    file, lines = written.file_of(""), {"": written.place("").line}
    inner = sorted((path for path in written.paths if path.startswith("spec")), key=_depth)
    for path in inner:
        line = written.place(path).line
        if written.file_of(path) == file and line != lines[enclosing(path, lines)]:
            lines[path] = line
        if len(lines) > MOST_LINES:
            break
    del lines[""]
    return lines


def source_text(metadata: Mapping[str, Any]) -> str:
    """`shop/cart.yaml:12 r809` of a document that was read, as much of it as is known."""
    source, revision = metadata.get("source"), metadata.get("revision")
    place = f"{source['file']}:{source['line']}" if source else ""
    return " ".join(part for part in (place, f"r{revision}" if revision else "") if part)


def _depth(path: str) -> int:
    return path.count(".") + path.count("[")

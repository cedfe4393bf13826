"""Which document is to blame where several break down together."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.compiler.diff import CompileError, DocumentKey, Entry


class Blamed(Exception):
    """A document broke down where others of its revision need it: try again without it. Raised by `Build.state`."""

    def __init__(self, key: DocumentKey, error: CompileError) -> None:
        super().__init__(f"{key}: {error.reason}")
        self.key = key
        self.error = error


def blame(before: Mapping[DocumentKey, Entry[Any]], entries: Sequence[Entry[Any]], error: Exception) -> Exception:
    """Of documents that break down together, the last one that is new in this revision. Nobody: the error.

    before: the good versions of the last revision.
    """
    fresh = [entry for entry in entries if before.get(entry.key) is not entry]
    return Blamed(fresh[-1].key, CompileError.of_defect(error)) if fresh else error

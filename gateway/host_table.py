"""Counts that the workers of one host share: a memory-mapped file, a row per counted thing, a column per worker.

Each worker writes its own column only, so nothing is locked and nothing is lost; a sum may be late by one call of each
other worker. Rows are found by name: whoever needs a row first takes it under a file lock (at compile time, never per
call). File: magic, rows, columns (8 bytes each); rows hashes of 8 bytes; rows * columns signed counts of 8 bytes; then
what sources have, by column (source_cells.py).
"""

import fcntl
import hashlib
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gateway.source_cells import PART_WORDS, SourceCells

MAGIC: Final = int.from_bytes(b"MWHOST02", "little")
ROWS: Final = 4096
_HEAD_WORDS: Final = 3
_WORD: Final = 8


class HostTable:
    """worker: whose column `add` writes. sources: connections by the address they come from."""

    __slots__ = ("_counts", "_fd", "_map", "_names", "_view", "columns", "rows", "sources", "worker")

    def __init__(self, path: Path, worker: int = 0) -> None:
        """Opens what `create` made. Raises ValueError when the file is none or has no such column."""
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(self._fd, 0)
        except ValueError as error:
            os.close(self._fd)
            raise ValueError(f"{path} is empty") from error
        self._view = memoryview(self._map).cast("q")
        magic, rows, columns = self._view[:_HEAD_WORDS].tolist()
        if magic != MAGIC or len(self._view) != _words(rows, columns) or not 0 <= worker < columns:
            self.close()
            raise ValueError(f"{path} is no host table with a column {worker}")
        self.worker, self.rows, self.columns = worker, rows, columns
        counts, sources = _HEAD_WORDS + rows, _HEAD_WORDS + rows + rows * columns
        self._names = self._view[_HEAD_WORDS:counts]
        self._counts = self._view[counts:sources]
        self.sources = SourceCells(self._view[sources:], worker)

    @classmethod
    def create(cls, path: Path, workers: int, rows: int = ROWS) -> Self:
        """A table of zeros, by the supervisor, before its workers start; an old file under this name is replaced."""
        fresh = path.with_name(path.name + ".new")
        with fresh.open("wb") as file:
            for word in (MAGIC, rows, workers):
                file.write(word.to_bytes(_WORD, "little", signed=True))
            file.truncate(_WORD * _words(rows, workers))
        fresh.replace(path)
        return cls(path)

    @classmethod
    def join(cls, path: Path, other: Path, columns: int) -> Self:
        """The table of another supervisor, which goes on under this name when that one is gone. columns: so many at
        least. Raises OSError, and ValueError when it is none for us: names keep their rows, so it may be half full."""
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.hardlink_to(other)
        try:
            joined = cls(fresh, columns - 1)
            if 2 * joined._names.tolist().count(0) < joined.rows:
                joined.close()
                raise ValueError(f"{other} has names in more than half of its rows")
        except ValueError:
            fresh.unlink()
            raise
        fresh.replace(path)
        return joined

    def row(self, name: str) -> int:
        """The row of a name, the same in all processes; -1 when the table is full."""
        digest = hashlib.blake2b(name.encode(), digest_size=_WORD).digest()
        wanted = int.from_bytes(digest, "little", signed=True) or 1
        start = wanted % self.rows
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            for step in range(self.rows):
                at = (start + step) % self.rows
                if self._names[at] == wanted:
                    return at
                if self._names[at] == 0:
                    self._names[at] = wanted
                    return at
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return -1

    def add(self, row: int, delta: int) -> None:
        self._counts[row * self.columns + self.worker] += delta

    def sum(self, row: int) -> int:
        """Over all workers; below zero never, so that a lost decrement of a dead worker cannot admit too many."""
        at = row * self.columns
        return max(sum(self._counts[at : at + self.columns]), 0)

    def zero_column(self, worker: int) -> None:
        """What a dead worker was counting is over. By the supervisor, before its successor starts."""
        for at in range(worker, self.rows * self.columns, self.columns):
            self._counts[at] = 0
        self.sources.clear(worker)

    def close(self) -> None:
        if hasattr(self, "sources"):
            self.sources.release()
        for name in ("_names", "_counts", "_view"):
            view = getattr(self, name, None)
            if view is not None:
                view.release()
        self._map.close()
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _words(rows: int, columns: int) -> int:
    """Of the file."""
    return _HEAD_WORDS + rows + rows * columns + columns * PART_WORDS

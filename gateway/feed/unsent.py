"""Reports that the registry has not answered: kept in order, bounded, and over a restart on disk.

A gateway goes on counting while its registry is away. What it could not tell is told later; what is older than ten
minutes, or more than there is room for, is dropped and counted. The file may name reports that were answered
meanwhile: the registry knows a report by node, boot and sequence, and counts it once.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from meshway.telemetry import KEPT_S

MOST_BYTES: Final = 16 << 20
WRITE_S: Final = 10.0  # between two writes of the file, while the registry is away

_log = logging.getLogger("meshway.gateway.unsent")


class Waiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """at: when its span ended, seconds since 1970. body: as it is posted."""

    at: float
    body: bytes


_FILE: Final = msgspec.msgpack.Decoder(list[Waiting])


class Unsent:
    """file: where they are kept. wall: seconds since 1970. dropped: reports that were never told."""

    def __init__(self, file: Path, wall: Callable[[], float], *, most_bytes: int = MOST_BYTES) -> None:
        self._file = file
        self._wall = wall
        self._most_bytes = most_bytes
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._is_written = False  # whether the file says something
        self._written_at = 0.0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def load(self) -> None:
        """What the process before this one left, the oldest first; a file that cannot be read is given up."""
        try:
            found = _FILE.decode(self._file.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            _log.error("cannot read the reports kept in %s: %s", self._file, error)
            return
        self._is_written = True
        for waiting in found:
            self._add(waiting)

    def add(self, body: bytes) -> None:
        self._add(Waiting(self._wall(), body))

    def first(self) -> bytes | None:
        """The oldest that is still worth telling."""
        self._drop_old()
        return self._waiting[0].body if self._waiting else None

    def done(self) -> None:
        """The first one is answered, or never will be."""
        self._bytes -= len(self._waiting.popleft().body)

    async def keep(self, *, is_last: bool = False) -> None:
        """Writes them where they have waited, or the process ends; takes the file away where nothing waits."""
        now = self._wall()
        if not self._waiting:
            if self._is_written:
                self._is_written = False
                await asyncio.to_thread(self._file.unlink, missing_ok=True)
            return
        has_waited = now - self._waiting[0].at >= WRITE_S and not 0 <= now - self._written_at < WRITE_S
        if is_last or has_waited:
            self._written_at, self._is_written = now, True
            try:
                await asyncio.to_thread(_write, self._file, list(self._waiting))
            except OSError as error:
                _log.error("cannot keep %d reports in %s: %s", len(self._waiting), self._file, error)

    def _add(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)
        self._bytes += len(waiting.body)
        self._drop_old()

    def _drop_old(self) -> None:
        before = self._wall() - KEPT_S
        while self._waiting and (self._waiting[0].at < before or self._bytes > self._most_bytes):
            self.done()
            self.dropped += 1


def _write(file: Path, waiting: list[Waiting]) -> None:
    """By rename: a file is whole or not there."""
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(msgspec.msgpack.encode(waiting))
    fresh.replace(file)

"""The access log: one JSON line a call, made at its end, gathered for 50 ms and written in a thread.

A line is made at once, while all it tells is still in the processor's caches, and goes into one growing buffer: kept as
exchanges, or as a thousand pieces, they would wander through memory. What the disk does not take in time is dropped
and counted, never waited for.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from gateway.exchange import Exchange
from gateway.telemetry.access_line import LineWriter


class AccessLog:
    """path: opened for appending, shared by all workers of the host; "" writes nothing.

    pending: lines that wait at most. dropped: lines lost since the start, told to `on_dropped` as they are lost.
    """

    def __init__(
        self, path: str, pending: int, on_dropped: Callable[[int], None], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = Path(path) if path else None
        self._pending = pending if path else 0
        self._on_dropped = on_dropped
        self._now = now
        self._line = LineWriter(time.time() - now())
        self._lines = bytearray()
        self._waiting = 0  # lines in it
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="access-log")
        self._writing: Future[int] | None = None
        self._descriptor = -1
        if self._path is not None:
            self._descriptor = _open(self._path)

    @property
    def is_on(self) -> bool:
        return self._path is not None

    def add(self, exchange: Exchange, ended: float, outcome: bytes) -> None:
        """ended: seconds of the worker's clock. outcome: access_line.outcome_of."""
        if self._waiting < self._pending:
            self._waiting += 1
            self._lines += self._line.of(exchange, ended, outcome)
        elif self._path is not None:
            self._on_dropped(1)

    def beat(self) -> None:
        """Called every 50 ms: hands over what was gathered, unless the disk still has the last of it."""
        self._line.wall_offset = time.time() - self._now()
        self._hand_over()

    def reopen(self) -> None:
        """After the file was moved away (SIGHUP)."""
        if self._path is not None:
            self._writer.submit(self._reopen)

    def close(self) -> None:
        """Writes what is there, then closes."""
        if self._writing is not None:
            self._writing.result(timeout=5.0)
        self._hand_over()
        self._writer.shutdown(wait=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _hand_over(self) -> None:
        if self._writing is not None:
            if not self._writing.done():
                return
            if lost := self._writing.result():
                self._on_dropped(lost)
            self._writing = None
        if self._lines:
            lines, self._lines = self._lines, bytearray()
            self._waiting = 0
            self._writing = self._writer.submit(self._write, lines)

    def _write(self, lines: bytearray) -> int:
        """In the writer's thread. Returns how many lines were lost."""
        view = memoryview(lines)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError:
                return bytes(view).count(b"\n")
        return 0

    def _reopen(self) -> None:
        assert self._path is not None
        try:
            fresh = _open(self._path)
        except OSError:
            return  # the moved file is a better place than none
        os.close(self._descriptor)
        self._descriptor = fresh


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

"""Where lines go: a file, stdout or a Unix socket; gathered in one buffer and written in a thread.

What is not taken in time is dropped, the oldest first, and counted; nothing waits for it.
"""

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from meshway.model.otlp import Otlp

FILE: Final = "file"
STDOUT: Final = "stdout"
SOCKET: Final = "socket"
OTLP: Final = "otlp"
CONNECT_S: Final = 1.0
# A write of no more than this to a pipe is not mixed with other processes' (POSIX, PIPE_BUF of Linux).
ATOMIC: Final = 4096


class SinkPlace(NamedTuple):
    """kind: FILE, STDOUT, SOCKET, OTLP. path: of the file or the socket. otlp: of a collector (otlp_sink.py)."""

    kind: str
    path: str = ""
    otlp: Otlp | None = None


class LogSink:
    """most: bytes that wait. lines: what does, appended to by its owner, who calls `shed` when there is too much.

    writing: what goes out now, told how many lines were lost.
    """

    __slots__ = ("_descriptor", "_on_dropped", "_place", "_socket", "_writer", "lines", "most", "writing")

    def __init__(self, place: SinkPlace, most: int, on_dropped: Callable[[int], None]) -> None:
        """Raises OSError where a file cannot be opened."""
        self._place = place
        self._on_dropped = on_dropped
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="access-log")
        self.writing: Future[int] | None = None
        self._socket: socket.socket | None = None
        self._descriptor = -1
        self.lines = bytearray()
        self.most = most
        if place.kind == FILE:
            self._descriptor = _open(Path(place.path))
        elif place.kind == STDOUT:
            self._descriptor = os.dup(1)

    def add(self, line: bytes) -> None:
        lines = self.lines
        lines += line
        if len(lines) > self.most:
            self.shed()

    def shed(self) -> None:
        """Drops the older half."""
        lines = self.lines
        cut = lines.find(b"\n", min(len(lines) // 2, len(lines) - 1)) + 1 or len(lines)
        self._on_dropped(lines[:cut].count(b"\n"))
        del lines[:cut]

    def beat(self) -> None:
        """Hands over what was gathered, unless the last of it is still being written."""
        if self.writing is not None:
            if not self.writing.done():
                return
            if lost := self.writing.result():
                self._on_dropped(lost)
            self.writing = None
        if self.lines:
            lines, self.lines = self.lines, bytearray()
            self.writing = self._writer.submit(self._write, lines)

    def reopen(self) -> None:
        """After the file was moved away."""
        if self._place.kind == FILE:
            self._writer.submit(self._reopen)

    def close(self) -> None:
        """Writes what is there, then closes."""
        if self.writing is not None:
            self.writing.result(timeout=5.0)
        self.beat()
        self._writer.shutdown(wait=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # In the writer's thread.

    def _write(self, lines: bytearray) -> int:
        """How many lines were lost."""
        if self._place.kind == SOCKET:
            return self._send(lines)
        view = memoryview(lines)
        while view:
            size = _whole_lines(lines, len(lines) - len(view)) if self._place.kind == STDOUT else len(view)
            try:
                view = view[os.write(self._descriptor, view[:size]) :]
            except OSError:
                return bytes(view).count(b"\n")
        return 0

    def _send(self, lines: bytearray) -> int:
        """Who listens there may have gone and come again: it is tried twice."""
        for _ in range(2):
            try:
                if self._socket is None:
                    fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    fresh.settimeout(CONNECT_S)
                    fresh.connect(self._place.path)
                    self._socket = fresh
                self._socket.sendall(lines)
            except OSError:
                if self._socket is not None:
                    self._socket.close()
                    self._socket = None
            else:
                return 0
        return lines.count(b"\n")

    def _reopen(self) -> None:
        try:
            fresh = _open(Path(self._place.path))
        except OSError:
            return  # the moved file is a better place than none
        os.close(self._descriptor)
        self._descriptor = fresh


def _whole_lines(lines: bytearray, at: int) -> int:
    """Bytes from `at` on that are whole lines and no more than go out at once; a longer line goes alone."""
    if len(lines) - at <= ATOMIC:
        return len(lines) - at
    end = lines.rfind(b"\n", at, at + ATOMIC) + 1
    return (end or lines.find(b"\n", at) + 1 or len(lines)) - at


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

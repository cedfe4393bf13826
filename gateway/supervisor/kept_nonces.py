"""The book of nonces over a restart of the gateway: each that was taken stands in a file before its caller is let in.

What was written survives the end of every process; nothing is forced to the disk, so a power failure may lose the last
moments. A file that cannot be read or written lets nobody in by a nonce: else a request could be shown twice.
"""

import logging
import os
import struct
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Final

from gateway.nonces import LONGEST_S, NonceBook

FILE: Final = "nonces"
_MARK: Final = 24  # bytes of a mark: whose it is, key and nonce
_RECORD: Final = struct.Struct(f"!d{_MARK}s")
_SLACK: Final = 10_000  # records that are over, before the file is written anew
_log = logging.getLogger("meshway.gateway.nonces")


class KeptNonces:
    """folder: the gateway's, held by it alone. wall: seconds since 1970."""

    def __init__(self, folder: Path, wall: Callable[[], float], book: NonceBook | None = None) -> None:
        self._path = folder / FILE
        self._wall = wall
        self._book = NonceBook() if book is None else book
        self._file: FileIO | None = None
        self._written = 0
        self._is_torn = False
        self._refuses_until = 0.0

    def load(self) -> None:
        """Once, before the first is asked for."""
        now = self._wall()
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            # Whatever it holds is over by then.
            self._refuses_until = now + LONGEST_S
            _log.error("%s cannot be read, so no nonce is taken for %d s: %s", self._path, LONGEST_S, error)
            return
        whole = len(data) - len(data) % _RECORD.size  # of the last one a part may have been written
        for until, mark in _RECORD.iter_unpack(data[:whole]):
            if until > now:
                self._book.use(mark, until, now)
        self._write_anew()

    def use(self, mark: bytes, until: float) -> bool:
        """Whether it is fresh; from now on it is not, whatever becomes of this process."""
        now = self._wall()
        if now < self._refuses_until or len(mark) != _MARK or not self._book.use(mark, until, now):
            return False
        if self._is_torn or self._written > 2 * len(self._book) + _SLACK:
            return self._write_anew()
        return self._append(_RECORD.pack(until, mark))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, record: bytes) -> bool:
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = _opened(self._path, os.O_APPEND)
            if self._file.write(record) != len(record):
                raise OSError("the disk took a part of it")
        except OSError as error:
            _log.error("%s cannot be written, so the nonce is not taken: %s", self._path, error)
            self._is_torn = True  # behind a part of a record no other one can be read
            self.close()
            return False
        self._written += 1
        return True

    def _write_anew(self) -> bool:
        """What still holds, by a rename: the former file stays until the new one is whole."""
        held = self._book.held()
        part = self._path.with_name(f".{FILE}.new")
        self.close()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _opened(part, os.O_TRUNC) as opened:
                data = b"".join([_RECORD.pack(until, mark) for until, mark in held])
                if opened.write(data) != len(data):
                    raise OSError("the disk took a part of it")
            part.replace(self._path)
        except OSError as error:
            _log.error("%s cannot be written: %s", self._path, error)
            return False
        self._written, self._is_torn = len(held), False
        return True


def _opened(path: Path, flag: int) -> FileIO:
    """For us alone, unbuffered: what was written is with the system, whatever becomes of this process."""
    return FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600), "wb")

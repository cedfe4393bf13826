"""A backup sealed by a key file: pieces of AES-256-GCM, each bound to its file, its place and whether it is the last.

Whoever lacks the key learns nothing but the size; a piece that was changed, moved, taken from another file or cut off
at the end is refused.
"""

from __future__ import annotations

import io
import secrets
from typing import IO, TYPE_CHECKING, Final

from meshway.sealing import SealBroken, Sealing

if TYPE_CHECKING:
    from collections.abc import Callable

LINE: Final = b"meshway sealed backup 1\n"
_ID_BYTES: Final = 16
_PIECE: Final = 1 << 20
_LARGEST: Final = _PIECE + 64  # with what the seal adds


class SealedFile(ValueError):
    """Why it cannot be opened: one line."""


class Sealer:
    """write: takes what is ready. Nothing is whole before `end`."""

    def __init__(self, write: Callable[[bytes], object], key: bytes) -> None:
        self._write = write
        self._id = secrets.token_bytes(_ID_BYTES)
        self._sealing = _sealing_of(key, self._id)
        self._held = bytearray()
        self._number = 0
        write(LINE + self._id)

    def add(self, data: bytes) -> None:
        self._held += data
        while len(self._held) > _PIECE:
            piece = bytes(self._held[:_PIECE])
            del self._held[:_PIECE]
            self._put(piece, is_last=False)

    def end(self) -> None:
        self._put(bytes(self._held), is_last=True)

    def _put(self, piece: bytes, *, is_last: bool) -> None:
        sealed = self._sealing.seal(piece, _place(self._number, is_last=is_last))
        self._number += 1
        self._write(len(sealed).to_bytes(4, "big") + sealed)


class SealedReader(io.RawIOBase):
    """What was sealed, as a stream. opened: at its beginning. Raises SealedFile while it is read, too."""

    def __init__(self, opened: IO[bytes], key: bytes) -> None:
        super().__init__()
        if opened.read(len(LINE)) != LINE:
            raise SealedFile("it is not sealed as a backup is")
        self._opened = opened
        self._sealing = _sealing_of(key, opened.read(_ID_BYTES))
        self._piece = b""
        self._number = 0
        self._size = opened.read(4)

    def readable(self) -> bool:
        return True

    def readinto(self, into: object) -> int:
        view = memoryview(into).cast("B")  # type: ignore[arg-type]
        while not self._piece:
            if not self._size:
                return 0
            self._next()
        taken = self._piece[: len(view)]
        view[: len(taken)] = taken
        self._piece = self._piece[len(taken) :]
        return len(taken)

    def _next(self) -> None:
        length = int.from_bytes(self._size, "big")
        sealed = self._opened.read(length) if len(self._size) == 4 and length <= _LARGEST else b""
        following = self._opened.read(4)
        try:
            self._piece = self._sealing.unseal(sealed, _place(self._number, is_last=not following))
        except SealBroken as error:
            why = "another key sealed it, or it is damaged" if not self._number else "it is damaged, or cut off"
            raise SealedFile(why) from error
        self._number += 1
        self._size = following


def is_sealed(opened: IO[bytes]) -> bool:
    """Where it stands does not change."""
    at = opened.tell()
    line = opened.read(len(LINE))
    opened.seek(at)
    return line == LINE


def _sealing_of(key: bytes, file_id: bytes) -> Sealing:
    """A key for each file, so that no piece fits into another."""
    return Sealing(Sealing(key).derive(f"backup {file_id.hex()}"))


def _place(number: int, *, is_last: bool) -> str:
    return f"piece {number} {'last' if is_last else 'more'}"

"""ZooKeeper as its clients speak to it: jute over TCP, as much as a benchmark needs (zookeeper.jute, 3.8)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CREATE, PING, ADD_WATCH = 1, 11, 106
EPHEMERAL: Final = 1
PERSISTENT_RECURSIVE: Final = 1
_PING_XID, _EVENT_XID = -2, -1
_SESSION_MS: Final = 30_000
_OPEN_TO_ALL: Final = struct.pack(">ii5si6s", 31, 5, b"world", 6, b"anyone")


def _text(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def create(path: bytes, data: bytes, flags: int) -> bytes:
    return _text(path) + _text(data) + struct.pack(">i", 1) + _OPEN_TO_ALL + struct.pack(">i", flags)


def add_watch(path: bytes) -> bytes:
    return _text(path) + struct.pack(">i", PERSISTENT_RECURSIVE)


class Session:
    """closed_loop.Dialect: one session; `make` gives each request's body, `kind` says what they are."""

    def __init__(self, kind: int, make: Callable[[], bytes]) -> None:
        self._kind = kind
        self._make = make
        self._xid = 0
        self._buffer = b""
        self._is_greeted = False

    def greeting(self) -> bytes:
        return _text(struct.pack(">iqiqi16s?", 0, 0, _SESSION_MS, 0, 16, bytes(16), False))

    def ask(self) -> bytes:
        self._xid += 1
        xid = _PING_XID if self._kind == PING else self._xid
        return _text(struct.pack(">ii", xid, self._kind) + self._make())

    def read(self, data: bytes) -> tuple[int, bytes]:
        data = self._buffer + data if self._buffer else data
        at = count = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            if not self._is_greeted:
                self._is_greeted = True
                count += 1
            else:
                xid, _, error = struct.unpack_from(">iqi", data, at + 4)
                if error:
                    raise RuntimeError(f"ZooKeeper answered {error}")
                count += xid != _EVENT_XID
            at = end
        self._buffer = data[at:]
        return count, b""

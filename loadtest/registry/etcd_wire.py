"""etcd as its clients speak to it: gRPC over HTTP/2, as much of both as a benchmark needs.

No library: grpcio costs the load's core more than etcd spends on the call. Header blocks are literals of RFC 7541
without a table, so they are ready bytes; messages are protobuf by hand (etcd's rpc.proto, v3).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_LARGEST_WINDOW: Final = (1 << 31) - 1
_INITIAL_WINDOW_SIZE: Final = 4
_HEAD: Final = 9


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _field(number: int, value: bytes | int) -> bytes:
    """A protobuf field: bytes or a varint."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def put(key: bytes, value: bytes, lease: int) -> bytes:
    return _field(1, key) + _field(2, value) + _field(3, lease)


def grant(ttl_s: int, lease: int) -> bytes:
    return _field(1, ttl_s) + _field(2, lease)


def keep_alive(lease: int) -> bytes:
    return _field(1, lease)


def watch(prefix: bytes) -> bytes:
    """From the prefix to the key after all that begin with it."""
    end = prefix[:-1] + bytes((prefix[-1] + 1,))
    return _field(1, _field(1, prefix) + _field(2, end))


class _Connection:
    """What a call and a stream have in common: the greeting, the frames, and what must be answered."""

    def __init__(self, path: str) -> None:
        name = path.encode()
        # :method POST, :scheme http, :path, :authority, content-type, te
        self._headers = (
            b"\x83\x86\x04" + bytes((len(name),)) + name + b"\x01\x09localhost"
            b"\x0f\x10\x10application/grpc\x00\x02te\x08trailers"
        )
        self._buffer = b""
        self._is_greeted = False

    def greeting(self) -> bytes:
        window = _INITIAL_WINDOW_SIZE.to_bytes(2, "big") + _LARGEST_WINDOW.to_bytes(4, "big")
        more = (_LARGEST_WINDOW - 65_535).to_bytes(4, "big")
        return _PREFACE + frame(_SETTINGS, 0, 0, window) + frame(_WINDOW_UPDATE, 0, 0, more)

    def read(self, data: bytes) -> tuple[int, bytes]:
        data = self._buffer + data if self._buffer else data
        at, count, back = 0, 0, b""
        while len(data) - at >= _HEAD:
            end = at + _HEAD + int.from_bytes(data[at : at + 3], "big")
            if end > len(data):
                break
            kind, flags = data[at + 3], data[at + 4]
            if kind == _SETTINGS and not flags & _ACK:
                back += frame(_SETTINGS, _ACK, 0, b"")
                if not self._is_greeted:
                    self._is_greeted = True
                    count += 1
            elif kind == _PING and not flags & _ACK:
                back += frame(_PING, _ACK, 0, data[at + _HEAD : end])
            elif kind in (_RST_STREAM, _GOAWAY):
                raise RuntimeError(f"etcd gave up: {data[at:end]!r}")
            elif kind in (_DATA, _HEADERS):
                count += self._is_answer(kind, flags)
            at = end
        self._buffer = data[at:]
        return count, back

    def _is_answer(self, kind: int, flags: int) -> bool:
        raise NotImplementedError

    def _open(self, stream: int) -> bytes:
        return frame(_HEADERS, _END_HEADERS, stream, self._headers)


def _message(payload: bytes) -> bytes:
    return b"\x00" + len(payload).to_bytes(4, "big") + payload


class Calls(_Connection):
    """closed_loop.Dialect: unary calls, a stream each; `make` gives each message."""

    def __init__(self, path: str, make: Callable[[], bytes]) -> None:
        super().__init__(path)
        self._make = make
        self._streams = itertools.count(1, 2)
        self._has_data = False

    def ask(self) -> bytes:
        stream = next(self._streams)
        return self._open(stream) + frame(_DATA, _END_STREAM, stream, _message(self._make()))

    def _is_answer(self, kind: int, flags: int) -> bool:
        """Trailers end it. A call that failed has no message before them."""
        if kind == _DATA:
            self._has_data = True
            return False
        if not flags & _END_STREAM:
            return False
        if not self._has_data:
            raise RuntimeError("etcd refused a call")
        self._has_data = False
        return True


class Talk(_Connection):
    """closed_loop.Dialect: one stream that stays open; every message is answered by one, or by many (a watch)."""

    def __init__(self, path: str, make: Callable[[], bytes]) -> None:
        super().__init__(path)
        self._make = make
        self._is_open = False

    def ask(self) -> bytes:
        message = frame(_DATA, 0, 1, _message(self._make()))
        if self._is_open:
            return message
        self._is_open = True
        return self._open(1) + message

    def _is_answer(self, kind: int, flags: int) -> bool:
        if flags & _END_STREAM:
            raise RuntimeError("etcd ended a stream")
        return kind == _DATA


PUT: Final = "/etcdserverpb.KV/Put"
GRANT: Final = "/etcdserverpb.Lease/LeaseGrant"
KEEP_ALIVE: Final = "/etcdserverpb.Lease/LeaseKeepAlive"
WATCH: Final = "/etcdserverpb.Watch/Watch"

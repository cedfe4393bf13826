"""What a connection has to write: while pipelined requests are handled their answers are gathered into one write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Transport


class Outgoing:
    """most: bytes that are gathered."""

    __slots__ = ("_most", "_pieces", "_size", "_transport")

    def __init__(self, transport: Transport, most: int) -> None:
        self._transport = transport
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0

    def gather(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= self._most:
            self.flush()

    def flush(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            self._transport.write(data)

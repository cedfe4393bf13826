"""The connection as a stream sees it, which keeps what it is given. A test pauses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.machine.request import Reply


class KeptOutlet:
    def __init__(self) -> None:
        self.is_paused = False
        self.is_ended = False
        self.pieces: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def reply(self, reply: Reply) -> None:
        self.pieces.append(reply.body)

    def open(self, status: int, headers: bytes, *, length: int | None = None, revision: int | None = None) -> None:
        assert status == 200

    def send(self, data: bytes) -> None:
        if data:
            self.pieces.append(data)

    def end(self) -> None:
        self.is_ended = True

    def cut(self) -> None:
        self.is_ended = True

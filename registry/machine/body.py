"""The body of one request, collected up to its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.http1.framing import ChunkedReader, LengthReader
from meshway.http1.message import CHUNKED
from meshway.problem import Problem

if TYPE_CHECKING:
    from meshway.http1.message import RequestHead


class BodyTooLarge(Exception):
    """More came than the limit, which only a chunked body can do: an announced length is judged by its head."""


class BodyReader:
    """Collects a body that comes in pieces. limit: bytes."""

    __slots__ = ("_framing", "_left", "_pieces")

    def __init__(self, head: RequestHead, limit: int) -> None:
        self._framing = ChunkedReader() if head.body == CHUNKED else LengthReader(head.body)
        self._left = limit
        self._pieces: list[bytes] = []

    @property
    def rest(self) -> bytes:
        """What came behind the body."""
        return self._framing.rest

    def feed(self, data: bytes) -> bytes | None:
        """The whole body, or None while more is to come. Raises BodyTooLarge, HeadError."""
        piece = self._framing.feed(data)
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLarge
        self._pieces.append(piece)
        return b"".join(self._pieces) if self._framing.ended else None


def too_large(limit: int) -> Problem:
    return Problem(
        413,
        "too_large",
        "Content Too Large",
        detail=f"a body here has at most {limit} bytes",
        mend="split it: registrations by 1,000, documents by file",
    )

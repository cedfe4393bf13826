"""Recognises a connection's last header block when only the values of its tracing ids changed.

The block is kept as the bytes around the cuts, and the cuts by their offsets: a block matches when every byte outside
the same offsets is the same and what stands inside is made of id characters only. A CR, a space or a colon inside a
cut is a miss, so no header can be shifted past its validation (docs/internals/wire.md).
"""

from string import ascii_letters, digits
from typing import Final

from meshway.http1.alphabet import table

MAX_REMEMBERED: Final = 8192
_ID: Final = table((ascii_letters + digits + "-._").encode())

Span = tuple[int, int]
# value, whole line; a value given twice is b""
Id = tuple[bytes, bytes]
ABSENT: Final[Id] = (b"", b"")


class BlockMemo:
    """One block of one connection, cut at the values of traceparent and x-request-id.

    Here a block is lines with CRLF between them, none after the last.
    """

    __slots__ = ("_after", "_before", "_first", "_is_swapped", "_middle", "_second", "_size")

    def __init__(self) -> None:
        self._size = -1
        self._before = self._middle = self._after = b""
        self._first: Span = (0, 0)
        self._second: Span = (0, 0)
        self._is_swapped = False

    def learn(self, block: bytes, traceparent: Id, request_id: Id) -> None:
        """An id that is absent makes no cut; an odd one makes the block unrecognisable."""
        self._size = -1
        size = len(block)
        end: Span = (size, size)
        first = _span(block, traceparent) if traceparent[1] else end
        second = _span(block, request_id) if request_id[1] else end
        if first is None or second is None or first == second:
            return
        self._is_swapped = second < first
        if self._is_swapped:
            first, second = second, first
        self._before, self._middle, self._after = block[: first[0]], block[first[1] : second[0]], block[second[1] :]
        self._first, self._second, self._size = first, second, size

    def forget(self) -> None:
        self._size = -1

    def match(self, block: bytes) -> tuple[bytes, bytes] | None:
        """(traceparent, request id), b"" where there is none; None when it is another block."""
        if len(block) != self._size:
            return None
        at, end = self._first
        first = block[at:end]
        at, end = self._second
        second = block[at:end]
        # Put together and compared at once, which costs half of comparing its three parts.
        if b"".join((self._before, first, self._middle, second, self._after)) != block:
            return None
        if not (first + second).translate(_ID).isdigit():
            return None
        return (second, first) if self._is_swapped else (first, second)


def _span(block: bytes, field: Id) -> Span | None:
    value, line = field
    if not value.translate(_ID).isdigit():
        return None
    # With the ends of the lines around it: the same bytes may stand inside another field's value.
    at = (b"\n" + block + b"\r").index(b"\n" + line + b"\r")
    end = at + len(line.rstrip(b" \t"))
    return end - len(value), end

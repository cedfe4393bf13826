"""Frames of HTTP/3 (RFC 9114 §7) out of the bytes of one stream; pure."""

from collections.abc import Iterator, Mapping
from typing import Final

DATA: Final = 0x00
HEADERS: Final = 0x01
CANCEL_PUSH: Final = 0x03
SETTINGS: Final = 0x04
PUSH_PROMISE: Final = 0x05
GOAWAY: Final = 0x07
MAX_PUSH_ID: Final = 0x0D
OF_HTTP2: Final = frozenset({0x02, 0x06, 0x08, 0x09})  # frames, and nobody may send them (§7.2.8)

NO_ERROR: Final = 0x100
GENERAL_PROTOCOL_ERROR: Final = 0x101
INTERNAL_ERROR: Final = 0x102
STREAM_CREATION_ERROR: Final = 0x103
CLOSED_CRITICAL_STREAM: Final = 0x104
FRAME_UNEXPECTED: Final = 0x105
FRAME_ERROR: Final = 0x106
EXCESSIVE_LOAD: Final = 0x107
ID_ERROR: Final = 0x108
SETTINGS_ERROR: Final = 0x109
MISSING_SETTINGS: Final = 0x10A
REQUEST_REJECTED: Final = 0x10B
REQUEST_CANCELLED: Final = 0x10C
REQUEST_INCOMPLETE: Final = 0x10D
MESSAGE_ERROR: Final = 0x10E
CONNECT_ERROR: Final = 0x10F
QPACK_DECOMPRESSION_FAILED: Final = 0x200
QPACK_ENCODER_STREAM_ERROR: Final = 0x201
QPACK_DECODER_STREAM_ERROR: Final = 0x202


# A frame without content, or that nobody knows, is for nothing. Some are to be borne (§7.2.8, §9): of each stream the
# first ones in a row are free.
_WORTH: Final = frozenset({DATA, HEADERS, SETTINGS})
FREE: Final = 8
MOST_WASTED: Final = 1_000  # in a row on one stream, whatever comes of them elsewhere


class H3Fault(Exception):
    """The other side broke the protocol: the connection ends with this error."""

    def __init__(self, error: int, why: str) -> None:
        super().__init__(why)
        self.error = error


def read_varint(data: bytes, at: int) -> tuple[int, int] | None:
    """A number and where it ends (RFC 9000 §16); None: there is more of it to come."""
    if at >= len(data):
        return None
    first = data[at]
    size = 1 << (first >> 6)
    end = at + size
    if end > len(data):
        return None
    if size == 1:
        return first, end
    return int.from_bytes(data[at:end], "big") & ((1 << (8 * size - 2)) - 1), end


def varint(number: int) -> bytes:
    if number < 0x40:
        return bytes((number,))
    if number < 0x4000:
        return (number | 0x4000).to_bytes(2, "big")
    if number < 0x4000_0000:
        return (number | 0x8000_0000).to_bytes(4, "big")
    return (number | 0xC000_0000_0000_0000).to_bytes(8, "big")


def frame(kind: int, payload: bytes) -> bytes:
    return varint(kind) + varint(len(payload)) + payload


class FrameReader:
    """Of one stream. may: which kinds are looked at, by the most bytes that one may have. never: which break the
    protocol here; the other ones are passed over. DATA comes as it comes, in pieces, others whole. begins: by SETTINGS.
    wasted: frames for nothing; whoever counts them takes them away.
    """

    __slots__ = ("_begins", "_buffer", "_in_a_row", "_kind", "_left", "_may", "_never", "wasted")

    def __init__(self, may: Mapping[int, int], never: frozenset[int], *, begins: bool = False) -> None:
        self._may, self._never, self._begins = may, never, begins
        self._buffer = b""
        self._kind = -1  # between frames
        self._left = 0
        self._in_a_row = self.wasted = 0

    @property
    def is_between(self) -> bool:
        """Whether the stream may end here (§7.1)."""
        return self._kind < 0 and not self._buffer

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Kinds and payloads. Raises H3Fault."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        at, size = 0, len(data)
        while at < size or (self._kind >= 0 and not self._left):
            if self._kind < 0:
                kind = read_varint(data, at)
                length = read_varint(data, kind[1]) if kind is not None else None
                if kind is None or length is None:
                    self._buffer = data[at:]
                    return
                self._begin(kind[0], length[0])
                at = length[1]
            step = min(self._left, size - at)
            if self._kind == DATA or self._kind not in self._may:
                kind_now, piece = self._kind, data[at : at + step]
                at += step
                self._left -= step
                if not self._left:
                    self._kind = -1
                if piece and kind_now in self._may:
                    yield kind_now, piece
            elif step < self._left:
                self._buffer = data[at:]
                return
            else:
                kind_now, self._kind, self._left = self._kind, -1, 0
                at += step
                yield kind_now, data[at - step : at]

    def _begin(self, kind: int, length: int) -> None:
        if self._begins and kind != SETTINGS:
            raise H3Fault(MISSING_SETTINGS, "the control stream begins otherwise")
        self._begins = False
        if kind in OF_HTTP2 or kind in self._never:
            raise H3Fault(FRAME_UNEXPECTED, "a frame that may not be here")
        if length > self._may.get(kind, length):
            raise H3Fault(EXCESSIVE_LOAD, "a frame that is too long")
        if length and kind in _WORTH:
            self._in_a_row = 0
        else:
            self._in_a_row += 1
            if self._in_a_row > FREE:
                self.wasted += 1
            if self._in_a_row > MOST_WASTED:
                raise H3Fault(EXCESSIVE_LOAD, "frames that say nothing")
        self._kind, self._left = kind, length

"""What a caller's frames may not say and nghttp2 lets pass (RFC 9113 §5.1): of streams he has ended or passed over. And
what opens a stream's window so far that it may be too far, which ends the stream (§6.9.1), not the connection.

It reads heads of frames only, beside the codec and before it. Pure.
"""

from typing import Final

PROTOCOL_ERROR: Final = 0x01
STREAM_CLOSED: Final = 0x05
MOST_ENDED: Final = 1_000  # streams that are remembered, up to twice as many: frames on older ones nghttp2 ignores

_DATA: Final = 0x00
_HEADERS: Final = 0x01
_PRIORITY: Final = 0x02
_RST_STREAM: Final = 0x03
_SETTINGS: Final = 0x04
_PING: Final = 0x06
_WINDOW_UPDATE: Final = 0x08
_CONTINUATION: Final = 0x09
_END_STREAM: Final = 0x01
_ACK: Final = 0x01
_END_HEADERS: Final = 0x04
_HEAD: Final = 9  # bytes
WINDOW_UPDATE_SIZE: Final = 13  # bytes of a whole one
_PREFACE: Final = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_MUCH: Final = 1 << 30  # what a window is opened by in one step: less overflows it only after many
MOST_WINDOW: Final = 0x7FFF_FFFF


class Latest:
    """The numbers that were added last. In two sets, of which the older is let go as a whole: to take the oldest one
    out of a dict costs a look at all places of those that went before it."""

    __slots__ = ("_before", "_newest")

    def __init__(self) -> None:
        self._newest: set[int] = set()
        self._before: set[int] = set()

    def add(self, number: int) -> None:
        newest = self._newest
        newest.add(number)
        if len(newest) >= MOST_ENDED:
            self._before, self._newest = newest, set()

    def has(self, number: int) -> bool:
        made: object = number  # of machine code, which would make one for each look
        return made in self._newest or made in self._before

    def __len__(self) -> int:
        return len(self._newest) + len(self._before)


class FrameGuard:
    """Of one connection; `fault` is asked for each piece that was received, in order. is_in_head: a block of fields was
    begun, by HEADERS, and its last byte has not come. wide: frames of this piece that open a window far: stream, by how
    much, and where they begin. asked: how many of this piece the connection itself has to answer."""

    __slots__ = ("_ended", "_ends_head", "_highest", "_part", "_skipped", "_to_skip", "asked", "is_in_head", "wide")

    def __init__(self) -> None:
        self._to_skip = _PREFACE  # bytes of which nothing is looked at
        self._part = b""  # of a frame's head
        self._highest = 0
        self._ended = Latest()  # by the caller: by END_STREAM or RST_STREAM
        self.is_in_head = self._ends_head = False
        self.asked = 0
        self.wide: list[tuple[int, int, int]] = []
        self._skipped = Latest()  # numbers he passed over, which are closed by that

    def fault(self, data: bytes) -> int:
        """The error that these bytes are, 0: none."""
        at, size, before = 0, len(data), 0
        self.asked = 0
        if self.wide:
            self.wide = []
        if self._part:
            before = len(self._part)
            data, self._part = self._part + data, b""
            size = len(data)
        while True:
            if self._to_skip:
                step = min(self._to_skip, size - at)
                at += step
                self._to_skip -= step
            if self._ends_head and not self._to_skip:
                self.is_in_head = self._ends_head = False
            if size - at < _HEAD:
                self._part = data[at:]
                return 0
            length = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
            kind, flags = data[at + 3], data[at + 4]
            if kind in (_HEADERS, _CONTINUATION):
                self.is_in_head, self._ends_head = True, bool(flags & _END_HEADERS)
            if kind <= _RST_STREAM:
                number = _number(data, at + 5)
                if kind == _PRIORITY and length == 5:
                    if size - at < _HEAD + 4:
                        self._part = data[at:]
                        return 0
                    if number in (0, _number(data, at + _HEAD)):
                        return PROTOCOL_ERROR
                elif kind != _PRIORITY and (error := self._take(kind, flags, number)):
                    return error
            elif kind == _WINDOW_UPDATE and length == 4 and at >= before and size - at >= WINDOW_UPDATE_SIZE:
                number, step = _number(data, at + 5), _number(data, at + _HEAD)
                if step >= _MUCH and 0 < number <= self._highest and not self.is_in_head:
                    self.wide.append((number, step, at - before))
            elif kind in (_SETTINGS, _PING) and not flags & _ACK:
                self.asked += 1
            at += _HEAD
            self._to_skip = length

    def _take(self, kind: int, flags: int, number: int) -> int:
        if number > self._highest:
            if kind == _HEADERS:
                lowest = self._highest + 2 if self._highest else 1
                for skipped in range(max(lowest, number - 64), number, 2):
                    self._skipped.add(skipped)
                self._highest = number
        elif kind != _RST_STREAM:
            if self._ended.has(number):
                return STREAM_CLOSED
            if self._skipped.has(number):
                return PROTOCOL_ERROR
        if kind == _RST_STREAM or flags & _END_STREAM:
            self._ended.add(number)
        return 0


def _number(data: bytes, at: int) -> int:
    """Of 31 bits."""
    return (data[at] & 0x7F) << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]

"""Holds one direction of a WebSocket to RFC 6455 §5 and to sizes, by reading the heads of its frames: 2 to 14 bytes.

Payloads are passed on unread. A head is passed on whole or not at all, so at a fault a frame of our own may follow what
went on. Any split of the stream gives the same.
"""

from typing import Final

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NO_CODE: Final = 1005  # is in no frame: says that a close frame had none
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
BAD_GATEWAY: Final = 1014

RESERVED_BITS: Final = 0x70
COMPRESSED_BIT: Final = 0x40  # permessage-deflate's (RFC 7692 §6), of a message's first frame
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_CONTINUATION, _TEXT, _BINARY = 0x0, 0x1, 0x2
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA
_MOST_CONTROL: Final = 125
_NO_MESSAGE: Final = -1


class FrameMeter:
    """masked: a caller's frames are, a service's are not (§5.1). bits: the reserved ones that extensions have given a
    meaning; with all of them, unknown opcodes have one, too. max_frame, max_message: bytes of payload, of a message
    over all its fragments, compressed as they come.

    fault: the code to close with, 0: none; detail: why. close_code: of the close frame that went by, 0: none did.
    messages: whole ones. is_over: it came to a close frame, or a fault, behind which nothing goes on. withholds_close:
    nor does that frame.
    """

    __slots__ = (
        "_bits", "_mask", "_max_frame", "_max_message", "_message", "_mostly", "_part", "_short", "_skip", "close_code",
        "detail", "fault", "is_over", "messages", "withholds_close",
    )  # fmt: skip

    def __init__(self, *, masked: bool, bits: int, max_frame: int, max_message: int) -> None:
        self._mask = _MASKED if masked else 0
        self._bits = bits
        self._max_frame, self._max_message = max_frame, max_message
        self._part = b""  # of a head
        self._skip = 0  # bytes of payload that are still to come
        self._message = _NO_MESSAGE  # bytes so far of one that is not whole
        # Most reads bring one whole short message.
        self._mostly = frozenset({_FINAL | _TEXT | bit for bit in (0, bits & COMPRESSED_BIT)}) | frozenset(
            {_FINAL | _BINARY | bit for bit in (0, bits & COMPRESSED_BIT)}
        )
        self._short = min(125, max_frame, max_message)
        self.is_over = self.withholds_close = False
        self.messages = 0
        self.fault = 0
        self.detail = ""
        self.close_code = 0

    @property
    def takes_frame(self) -> bool:
        """Another frame may be put behind what went on: it ended with one, and not with a close frame."""
        return not self._skip and (not self.close_code or self.withholds_close)

    def feed(self, data: bytes) -> bytes:
        """What goes on: mostly the same object."""
        size = len(data)
        if not self._skip and not self._part and self._message < 0 and size > 2 and not self.is_over:
            length = data[1] ^ self._mask
            if length <= self._short and data[0] in self._mostly and size - length == (6 if self._mask else 2):
                self.messages += 1
                return data
        if self.is_over:  # but for the close frame's own end
            rest = data[: self._skip]
            self._skip -= len(rest)
            return rest
        if self._part:
            data, self._part = self._part + data, b""
            size = len(data)
        at = self._skip
        if at >= size:
            self._skip = at - size
            return data
        self._skip = 0
        while at < size:
            begins = at
            at = self._read_head(data, at, size)
            if at == begins:
                if not self.fault:
                    self._part = data[at:]
                return data[:at]
            if self.close_code:
                if self.withholds_close:
                    return data[:begins]
                self._skip = max(0, at - size)
                return data[:at]
        self._skip = at - size
        return data

    def _read_head(self, data: bytes, at: int, size: int) -> int:
        """Where the frame that begins at `at` ends; `at`: its head is not whole, or it is a fault."""
        if size - at < 2:
            return at
        first, second = data[at], data[at + 1]
        opcode, length = first & 0x0F, second & 0x7F
        if fault := self._fault_of(first, second):
            return self._refuse(at, PROTOCOL_ERROR, fault)
        head = 2 + (0 if length < 126 else 2 if length == 126 else 8) + (4 if self._mask else 0)
        if opcode == _CLOSE:
            head += min(length, 2)
        if size - at < head:
            return at
        if length == 126:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if length < 126:
                return self._refuse(at, PROTOCOL_ERROR, "a length in more bytes than it needs")
        elif length == 127:
            length = int.from_bytes(data[at + 2 : at + 10], "big")
            if length < 1 << 16 or length >> 63:
                return self._refuse(at, PROTOCOL_ERROR, "a length that is none")
        if opcode == _CLOSE:
            self.is_over = True
            self.close_code = self._code(data[at + 2 : at + head]) if length else NO_CODE
            return at + head - min(length, 2) + length
        if not opcode & 0x8 and not self._count(first, length):
            return at
        return at + head + length

    def _fault_of(self, first: int, second: int) -> str:
        opcode, bits = first & 0x0F, first & RESERVED_BITS
        if (second & _MASKED) != self._mask:
            return "a frame without a mask" if self._mask else "a frame with a mask"
        is_known = self._bits != RESERVED_BITS  # else an extension says what is right
        if is_known and bits and (bits & ~self._bits or opcode not in (_TEXT, _BINARY)):
            return "a reserved bit that no extension has a use for"
        if opcode & 0x8:
            if is_known and opcode not in (_CLOSE, _PING, _PONG):
                return f"the reserved opcode {opcode}"
            if not first & _FINAL:
                return "a control frame in fragments"
            if second & 0x7F > _MOST_CONTROL:
                return f"a control frame of more than {_MOST_CONTROL} bytes"
            if opcode == _CLOSE and second & 0x7F == 1:
                return "a close frame with half a code"
        elif opcode == _CONTINUATION:
            if self._message < 0:
                return "a continuation of no message"
        elif opcode not in (_TEXT, _BINARY):
            return f"the reserved opcode {opcode}" if is_known else ""
        elif self._message >= 0:
            return "a message within another one"
        return ""

    def _count(self, first: int, length: int) -> bool:
        """Of a data frame: whether it may pass."""
        so_far = max(self._message, 0) + length
        if length > self._max_frame:
            self._refuse(0, TOO_BIG, f"a frame of {length} bytes, of at most {self._max_frame}")
            return False
        if so_far > self._max_message:
            self._refuse(0, TOO_BIG, f"a message of {so_far} bytes and more, of at most {self._max_message}")
            return False
        if first & _FINAL:
            self._message = _NO_MESSAGE
            self.messages += 1
        else:
            self._message = so_far
        return True

    def _refuse(self, at: int, code: int, detail: str) -> int:
        self.fault, self.detail, self.is_over = code, detail, True
        return at

    def _code(self, key_and_code: bytes) -> int:
        """key_and_code: what stands behind the first two bytes of a close frame's head."""
        if self._mask:
            key, code = key_and_code[:4], key_and_code[4:]
            return (code[0] ^ key[0]) << 8 | (code[1] ^ key[1])
        return int.from_bytes(key_and_code, "big")


def close_frame(code: int, key: bytes = b"") -> bytes:
    """key: four bytes, of a frame to a service."""
    return _control(_CLOSE, code.to_bytes(2, "big"), key)


def ping_frame(key: bytes = b"") -> bytes:
    """Without payload, so an answer to it says nothing to whom it is passed on (§5.5.3)."""
    return _control(_PING, b"", key)


def _control(opcode: int, payload: bytes, key: bytes) -> bytes:
    if not key:
        return bytes((_FINAL | opcode, len(payload))) + payload
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    return bytes((_FINAL | opcode, _MASKED | len(payload))) + key + masked

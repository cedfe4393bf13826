"""The host that the first message of TLS names (SNI); pure.

Nothing is decrypted: the message is in clear, perhaps in several records. Of an encrypted one (ECH) the outer name is
meant. Sources: RFC 8446 §4.1.2, §5.1; RFC 6066 §3; RFC 8449; draft-ietf-tls-esni-22 §5.
"""

from typing import Final

MOST: Final = 16 * 1024  # bytes, records' heads included
_HANDSHAKE, _CLIENT_HELLO = 0x16, 0x01
_SERVER_NAME, _HOST_NAME = 0, 0
_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_LONGEST_RECORD: Final = 1 << 14
_NAME: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-._")
_LONGEST_NAME: Final = 255


class HelloFault(ValueError):
    """What came is no first message of TLS."""


class HelloReader:
    """Of one connection. came: all of its bytes. None is looked at twice, in whatever pieces and records they come."""

    __slots__ = ("_at", "_left", "_message", "came")

    def __init__(self) -> None:
        self.came = bytearray()
        self._at = 0  # so many bytes of it were read
        self._left = 0  # so many of the record are still to come
        self._message = bytearray()

    def read(self, data: bytes) -> str | None:
        """What came next. Answers the host that is named, lower-case, without a dot behind it; "": none is. None: more
        is to come, within MOST. Raises HelloFault."""
        came, message = self.came, self._message
        came += data
        while self._at < len(came):
            if not self._left:
                head = came[self._at : self._at + _RECORD_HEAD]
                self._left = _length(head)
                if len(head) < _RECORD_HEAD:
                    break
                self._at += _RECORD_HEAD
                continue
            piece = came[self._at : self._at + self._left]
            self._at += len(piece)
            self._left -= len(piece)
            message += piece
            if _is_whole(message):
                return _named(_Reader(bytes(message[_MESSAGE_HEAD:])))
        if len(came) >= MOST:
            raise HelloFault(f"the first message is longer than {MOST} bytes")
        return None


def _length(head: bytearray) -> int:
    """Of a record, by its head; 0: that is not whole. Raises HelloFault."""
    if head[0] != _HANDSHAKE:
        raise HelloFault("it is no handshake of TLS")
    if len(head) > 1 and head[1] != 3:
        raise HelloFault("it is no version of TLS that has names")
    if len(head) < _RECORD_HEAD:
        return 0
    size = int.from_bytes(head[3:5], "big")
    if not 0 < size <= _LONGEST_RECORD:
        raise HelloFault("a record has a length that none has")
    return size


def _is_whole(message: bytearray) -> bool:
    """Cuts off what comes behind it. Raises HelloFault."""
    if message[0] != _CLIENT_HELLO:
        raise HelloFault("the handshake does not begin with a ClientHello")
    if len(message) < _MESSAGE_HEAD:
        return False
    wanted = int.from_bytes(message[1:_MESSAGE_HEAD], "big")
    if wanted > MOST:
        raise HelloFault(f"the first message is longer than {MOST} bytes")
    if len(message) < _MESSAGE_HEAD + wanted:
        return False
    del message[_MESSAGE_HEAD + wanted :]
    return True


class _Reader:
    """Raises HelloFault where there is less than is said."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise HelloFault("the ClientHello is shorter than it says")
        taken, self._at = self._data[self._at : end], end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def counted(self, size: int) -> bytes:
        """What follows its own length, which has this size."""
        return self.take(self.number(size))

    @property
    def is_done(self) -> bool:
        return self._at == len(self._data)


def _named(hello: _Reader) -> str:
    hello.take(2 + 32)  # version, random
    hello.counted(1)  # session
    hello.counted(2)  # cipher suites
    hello.counted(1)  # compression
    if hello.is_done:
        return ""
    extensions = _Reader(hello.counted(2))
    while not extensions.is_done:
        kind, body = extensions.number(2), extensions.counted(2)
        if kind == _SERVER_NAME:
            return _host_name(_Reader(_Reader(body).counted(2)))
    return ""


def _host_name(names: _Reader) -> str:
    while not names.is_done:
        kind, name = names.number(1), names.counted(2)
        if kind != _HOST_NAME:
            continue
        name = name.lower()
        if not 0 < len(name) <= _LONGEST_NAME or not _NAME.issuperset(name):
            raise HelloFault("the name is no host's")
        return name.decode("ascii").rstrip(".")
    return ""

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


def server_name(data: bytes | bytearray) -> str | None:
    """What a connection begins with. "": it names none. Lower-case, without a dot behind it. None: more is to come,
    within MOST. Raises HelloFault."""
    message = _message(data)
    if message is None:
        if len(data) >= MOST:
            raise HelloFault(f"the first message is longer than {MOST} bytes")
        return None
    return _named(_Reader(message))


def _message(data: bytes | bytearray) -> bytes | None:
    """The body of a ClientHello, out of its records."""
    found, at = bytearray(), 0
    while True:
        head = data[at : at + _RECORD_HEAD]
        if head and head[0] != _HANDSHAKE:
            raise HelloFault("it is no handshake of TLS")
        if len(head) > 1 and head[1] != 3:
            raise HelloFault("it is no version of TLS that has names")
        if len(head) < _RECORD_HEAD:
            return None
        size = int.from_bytes(head[3:5], "big")
        if not 0 < size <= _LONGEST_RECORD:
            raise HelloFault("a record has a length that none has")
        at += _RECORD_HEAD
        found += data[at : at + size]
        if found and found[0] != _CLIENT_HELLO:
            raise HelloFault("the handshake does not begin with a ClientHello")
        if len(found) >= _MESSAGE_HEAD:
            wanted = int.from_bytes(found[1:4], "big")
            if wanted > MOST:
                raise HelloFault(f"the first message is longer than {MOST} bytes")
            if len(found) >= _MESSAGE_HEAD + wanted:
                return bytes(found[_MESSAGE_HEAD : _MESSAGE_HEAD + wanted])
        at += size
        if at > len(data):
            return None


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

"""The two halves of an opening handshake (RFC 6455 §4.2), as blocks of fields. Pure."""

from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Collection
from hashlib import sha1
from typing import Final, NamedTuple

from gateway.wire.websocket.frame_meter import COMPRESSED_BIT, RESERVED_BITS
from meshway.http1.field_lines import tokens
from meshway.http1.fields import find_all, remove

VERSION: Final = b"13"
KEY: Final = b"sec-websocket-key"
ACCEPT: Final = b"sec-websocket-accept"
EXTENSIONS: Final = b"sec-websocket-extensions"
PROTOCOL: Final = b"sec-websocket-protocol"
_VERSION_FIELD: Final = b"sec-websocket-version"
_DEFLATE: Final = b"permessage-deflate"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_SIZE: Final = 16


class HandshakeFault(NamedTuple):
    """What a caller is told. fields: with it, each `Name: value CRLF`."""

    status: int
    detail: str
    fields: bytes = b""


def accept_of(key: bytes) -> bytes:
    """What a service answers to a key: that it has read it, no more."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def request_fault(block: bytes) -> HandshakeFault | None:
    """Of a caller's half, of which it is known that it is a GET of HTTP/1.1 that asks for WebSocket."""
    versions = find_all(block, _VERSION_FIELD)
    if versions != [VERSION]:
        named = b", ".join(versions).decode("latin-1")[:64] or "none"
        detail = f"WebSocket is spoken in version 13 here, the handshake says {named}"
        return HandshakeFault(426, detail, b"Sec-WebSocket-Version: 13\r\n")  # RFC 6455 §4.4
    keys = find_all(block, KEY)
    if len(keys) != 1 or not _is_key(keys[0]):
        return HandshakeFault(400, "Sec-WebSocket-Key is to be sixteen bytes in base64, once")
    return None


def _is_key(key: bytes) -> bool:
    try:
        return len(a2b_base64(key, strict_mode=True)) == _KEY_SIZE
    except (Error, ValueError):
        return False


def offered_protocols(block: bytes) -> list[bytes]:
    """In the caller's order."""
    values = b",".join(find_all(block, PROTOCOL)).split(b",")
    return [value for value in (value.strip(b" \t") for value in values) if value]


def with_protocols(block: bytes, names: Collection[bytes]) -> bytes:
    """The same handshake, that offers these."""
    return b"%bSec-WebSocket-Protocol: %b\r\n" % (remove(block, (PROTOCOL,)), b", ".join(names))


def answer_fault(request: bytes, answer: bytes) -> str:
    """What is wrong with a service's half; "": nothing. Both: blocks of fields."""
    keys = find_all(request, KEY)
    if find_all(answer, ACCEPT) != [accept_of(keys[0]) if keys else b""]:
        return "its Sec-WebSocket-Accept does not fit the key: no WebSocket service read this handshake"
    chosen = find_all(answer, PROTOCOL)
    if len(chosen) > 1 or (chosen and chosen[0] not in offered_protocols(request)):
        return "it chose a subprotocol that was not offered"
    unasked = _extensions(answer) - _extensions(request)
    if unasked:
        return f"it uses an extension that was not offered: {min(unasked).decode('latin-1')[:64]}"
    return ""


def bits_of(answer: bytes) -> int:
    """The reserved bits that have a meaning from here on."""
    names = _extensions(answer)
    if names - {_DEFLATE}:
        return RESERVED_BITS
    return COMPRESSED_BIT if names else 0


def _extensions(block: bytes) -> set[bytes]:
    return tokens(b",".join(find_all(block, EXTENSIONS)))

"""Frames of WebSocket by hand (RFC 6455 §5.2), and a service and a caller that say what they are told to."""

import asyncio
from base64 import b64encode
from hashlib import sha1

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of KEY, RFC 6455 §1.3


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, bits: int = 0, key: bytes = b"") -> bytes:
    size = len(payload)
    if size < 126:
        length = bytes([size])
    else:
        length = b"\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x7f" + size.to_bytes(8, "big")
    if key:
        length = bytes([length[0] | 0x80]) + length[1:] + key
        payload = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    return bytes([(0x80 if final else 0) | bits | opcode]) + length + payload


def handshake(more: str = "", host: str = "shop.example", key: str = KEY) -> bytes:
    return (
        f"GET /chat HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    ).encode()


def accepted(request_head: bytes, more: str = "") -> bytes:
    """The answer of a service to this handshake."""
    lines = dict(line.lower().partition(b": ")[::2] for line in request_head.split(b"\r\n") if b": " in line)
    names = {line.partition(b": ")[0].lower(): line.partition(b": ")[2] for line in request_head.split(b"\r\n")}
    assert lines[b"upgrade"] == b"websocket"
    digest = sha1(names[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (
        f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Accept: {b64encode(digest).decode()}\r\n{more}\r\n"
    ).encode()


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Its first byte, and its payload without the mask; in ten seconds, unless a service waits for its callers."""
    return await asyncio.wait_for(await_frame(reader), 10.0)


async def await_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    key = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(size)
    return first, bytes(byte ^ key[at % 4] for at, byte in enumerate(payload)) if key else payload

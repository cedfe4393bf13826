"""Ends a connection so that its other side knows that it was cut: by RST, where a plain close would look like the end.

The system keeps nothing of it, while after a plain close it would hold megabytes for minutes, for who takes none.
Source: socket(7), SO_LINGER; RFC 9293 §3.10.5.
"""

import asyncio
import socket
import struct
from typing import Final

_NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()

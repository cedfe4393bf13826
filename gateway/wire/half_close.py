"""Closes our half of a connection: the other side reads an end, and may still speak."""

import asyncio
from contextlib import suppress


def close_half(transport: asyncio.Transport) -> None:
    """Of a transport that can write an end. One whose connection was cut in this moment is told of it by and by: where
    uvloop does so, too, asyncio's own loop raises, and whoever ends others in the same turn would not come to them."""
    with suppress(OSError):
        transport.write_eof()

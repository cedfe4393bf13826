"""One document by URL, for a plane: no redirect is followed, certificates are verified, time and size are bounded."""

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

from meshway.outbound.connection import Dial, PlainConnection, PlainError

_PORTS: Final = {"http": 80, "https": 443}


async def fetch(url: str, dial: Dial, tls: ssl.SSLContext, *, limit: int, timeout_s: float) -> bytes:
    """The body of a 200. url: http or https. limit: bytes. timeout_s: for all of it. Raises PlainError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = f"Host: {parts.netloc}\r\nAccept: application/json\r\nUser-Agent: meshway\r\nConnection: close\r\n"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await dial(host, port, timeout_s)
            connection = PlainConnection(reader, writer)
            try:
                if parts.scheme == "https":
                    await writer.start_tls(tls, server_hostname=host)
                head = await connection.ask(b"GET", target.encode(), fields.encode(), timeout_s=timeout_s)
                if head.status != 200:
                    raise PlainError(f"{host}:{port} answers {head.status}", "status")
                text = await connection.text(limit + 1, timeout_s)
            finally:
                connection.abort()
    except TimeoutError as error:
        raise PlainError(f"{host}:{port} has not answered whole within {timeout_s:g} s", "timeout") from error
    except (ssl.SSLError, OSError, UnicodeError) as error:  # UnicodeError: of a name that DNS has no room for
        raise PlainError(f"{host}:{port}: {getattr(error, 'verify_message', '') or error}", "reset") from error
    if len(text) > limit:
        raise PlainError(f"{host}:{port} answers more than {limit} bytes", "protocol")
    return text

"""One document by URL, for a plane, or the answer to a form or a document.

No redirect is followed, certificates are verified, time and size are bounded.
"""

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

from meshway.http1.message import ResponseHead
from meshway.outbound.connection import Dial, PlainConnection, PlainError

_PORTS: Final = {"http": 80, "https": 443}


async def fetch(url: str, dial: Dial, tls: ssl.SSLContext, *, limit: int, timeout_s: float) -> bytes:
    """The body of a 200. url: http or https. limit: bytes. timeout_s: for all of it. Raises PlainError."""
    status, text = await _ask(url, b"GET", b"", None, dial, tls, limit=limit, timeout_s=timeout_s)
    if status != 200:
        raise PlainError(f"{_place(url)} answers {status}", "status")
    return text


async def post_form(
    url: str, form: bytes, fields: bytes, dial: Dial, tls: ssl.SSLContext, *, limit: int, timeout_s: float
) -> tuple[int, bytes]:
    """Status and body, whatever the status. fields: further ones, each `Name: value CRLF`. Raises PlainError."""
    fields += b"Content-Type: application/x-www-form-urlencoded\r\n"
    return await _ask(url, b"POST", fields, form, dial, tls, limit=limit, timeout_s=timeout_s)


async def post_json(
    url: str, body: bytes, fields: bytes, dial: Dial, tls: ssl.SSLContext, *, limit: int, timeout_s: float
) -> tuple[int, bytes]:
    """As post_form."""
    fields += b"Content-Type: application/json\r\n"
    return await _ask(url, b"POST", fields, body, dial, tls, limit=limit, timeout_s=timeout_s)


async def post(
    url: str,
    body: bytes,
    content_type: bytes,
    dial: Dial,
    tls: ssl.SSLContext | None,
    *,
    limit: int,
    timeout_s: float,
    fields: bytes = b"",
) -> tuple[int, bytes]:
    """Status and body, whatever the status. tls: for https. fields: as post_form. Raises PlainError."""
    fields += b"Content-Type: %b\r\n" % content_type
    return await _ask(url, b"POST", fields, body, dial, tls, limit=limit, timeout_s=timeout_s)


async def _ask(
    url: str,
    method: bytes,
    further: bytes,
    body: bytes | None,
    dial: Dial,
    tls: ssl.SSLContext | None,
    *,
    limit: int,
    timeout_s: float,
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = b"Accept: application/json\r\nUser-Agent: meshway\r\n" + further
    head, text = await ask_at(url, method, target.encode(), fields, body, dial, tls, limit=limit, timeout_s=timeout_s)
    return head.status, text


async def ask_at(
    url: str,
    method: bytes,
    target: bytes,
    fields: bytes,
    body: bytes | None,
    dial: Dial,
    tls: ssl.SSLContext | None,
    *,
    limit: int,
    timeout_s: float,
) -> tuple[ResponseHead, bytes]:
    """Head and body of the answer, whatever it is. url: says where; target: what is asked for there. fields: all but
    Host, framing and Connection, each `Name: value CRLF`. Raises PlainError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    fields = b"Host: %b\r\nConnection: close\r\n%b" % (parts.netloc.encode(), fields)
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await dial(host, port, timeout_s)
            connection = PlainConnection(reader, writer)
            try:
                if parts.scheme == "https":
                    assert tls is not None
                    await writer.start_tls(tls, server_hostname=host)
                head = await connection.ask(method, target, fields, body, timeout_s=timeout_s)
                text = await connection.text(limit + 1, timeout_s)
            finally:
                connection.abort()
    except TimeoutError as error:
        raise PlainError(f"{host}:{port} has not answered whole within {timeout_s:g} s", "timeout") from error
    except (ssl.SSLError, OSError, UnicodeError) as error:  # UnicodeError: of a name that DNS has no room for
        raise PlainError(f"{host}:{port}: {getattr(error, 'verify_message', '') or error}", "reset") from error
    if len(text) > limit:
        raise PlainError(f"{host}:{port} answers more than {limit} bytes", "protocol")
    return head, text


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"

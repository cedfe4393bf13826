"""One document by URL: what comes, and what is refused."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshway.outbound.connection import PlainError, dial
from meshway.outbound.fetch import fetch
from meshway.outbound.guard import guarded_dial
from tests.parts.certificates import SelfSigned

LARGE = b"x" * 200_000
LIMIT = 256 << 10


def whole(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@asynccontextmanager
async def answering(
    *pieces: bytes, tls: ssl.SSLContext | None = None, pause_s: float = 0.0, asked: list[bytes] | None = None
) -> AsyncIterator[int]:
    """A server's port. pause_s: before each piece but the first."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if asked is not None:
                asked.append(head)
            for at, piece in enumerate(pieces):
                if at and pause_s:
                    await asyncio.sleep(pause_s)  # what it is to be slow
                writer.write(piece)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def got(url: str, tls: ssl.SSLContext | None = None, timeout_s: float = 20.0) -> bytes:
    return await fetch(url, dial, tls or ssl.create_default_context(), limit=LIMIT, timeout_s=timeout_s)


async def refused(url: str, tls: ssl.SSLContext | None = None, timeout_s: float = 20.0) -> str:
    with pytest.raises(PlainError) as caught:
        await got(url, tls, timeout_s)
    return str(caught.value)


@pytest.mark.parametrize(
    "pieces",
    [(whole(LARGE),), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n", LARGE, b"\r\n0\r\n\r\n")],
    ids=["length", "chunked"],
)
async def test_a_document_comes_whole(pieces: Sequence[bytes]) -> None:
    asked: list[bytes] = []
    async with answering(*pieces, asked=asked) as port:
        assert await got(f"http://127.0.0.1:{port}/a/b?c=d") == LARGE
        assert asked[0].startswith(b"GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)
        await got(f"http://127.0.0.1:{port}")
        assert asked[1].startswith(b"GET / HTTP/1.1\r\n")


async def test_over_tls_only_from_whom_it_trusts_under_the_name_it_asked_for(tmp_path: Path) -> None:
    good, other = SelfSigned(tmp_path, "localhost"), SelfSigned(tmp_path, "other.example")
    async with answering(whole(LARGE), tls=good.server()) as port:
        assert await got(f"https://localhost:{port}/", good.trusting()) == LARGE
        assert "self-signed" in await refused(f"https://localhost:{port}/")
    async with answering(whole(b"{}"), tls=other.server()) as port:
        assert "localhost" in await refused(f"https://localhost:{port}/", other.trusting())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (whole(b"{}", b"302 Found\r\nLocation: http://127.0.0.1:1/"), "answers 302"),
        (whole(b"{}", b"404 Not Found"), "answers 404"),
        (whole(b"x" * (LIMIT + 1)), f"more than {LIMIT} bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", "cut off"),
        (b"nothing of HTTP\r\n\r\n", ""),
        (b"", ""),
    ],
)
async def test_what_is_no_whole_answer_is_refused(answer: bytes, says: str) -> None:
    async with answering(answer) as port:
        assert says in await refused(f"http://127.0.0.1:{port}/")


async def test_one_who_drips_is_given_up() -> None:
    async with answering(*(bytes([piece]) for piece in whole(b"{}")), pause_s=0.1) as port:
        assert "0.5 s" in await refused(f"http://127.0.0.1:{port}/", timeout_s=0.5)


async def test_a_forbidden_address_is_not_asked() -> None:
    tls = ssl.create_default_context()
    for url in ("http://169.254.169.254/latest", "http://127.0.0.1:1/"):
        with pytest.raises(PlainError) as caught:
            await fetch(url, guarded_dial(allow_loopback=False), tls, limit=LIMIT, timeout_s=5.0)
        assert caught.value.reason == "forbidden_address"


async def test_a_name_that_cannot_be_asked_for_is_refused_as_others_are() -> None:
    assert "idna" in await refused("http://id..example/jwks")

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.listeners.sockets import open_one, url_of
from gateway.supervisor.admin import Admin, Body
from meshway.http1.message import RequestHead


class Running:
    def __init__(self, port: socket.socket, control: Path) -> None:
        self.url = url_of(port)
        self.port = port.getsockname()
        self.control = control
        self.reloads = 0

    async def page(self, _: RequestHead) -> Body:
        return 200, "text/plain", b"hello"

    async def reload(self, _: RequestHead) -> Body:
        self.reloads += 1
        return 202, "text/plain", b"yes"

    async def raw(self, data: bytes) -> bytes:
        """All that comes back until the connection is closed."""
        reader, writer = await asyncio.open_connection(*self.port)
        writer.write(data)
        try:
            async with asyncio.timeout(5.0):
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Running]:
    port = open_one("127.0.0.1", 0, "--admin-port")
    running = Running(port, tmp_path / "control.sock")
    admin = Admin({b"/page": running.page}, {b"/reload": running.reload})
    running.control.touch()  # left behind by one that was killed
    await admin.listen(port, running.control)
    yield running
    admin.close()


async def test_pages_are_answered_on_a_kept_connection(admin: Running) -> None:
    async with httpx.AsyncClient(base_url=admin.url, trust_env=False) as client:
        for _ in range(3):
            answer = await client.get("/page?x=1")
            assert (answer.status_code, answer.text) == (200, "hello")
        head = await client.head("/page")
        assert (head.headers["content-length"], head.content) == ("5", b"")
        assert (await client.get("/page")).text == "hello"


async def test_what_is_not_there_is_a_problem(admin: Running) -> None:
    async with httpx.AsyncClient(base_url=admin.url, trust_env=False) as client:
        missing = await client.get("/nothing")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert missing.headers["content-type"] == "application/problem+json"
        wrong = await client.delete("/page")
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


async def test_controls_are_there_on_the_unix_socket_only(admin: Running) -> None:
    async with httpx.AsyncClient(base_url=admin.url, trust_env=False) as client:
        assert (await client.post("/reload")).status_code == 404
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(admin.control))) as client:
        assert (await client.post("http://gateway/reload")).status_code == 202
        assert (await client.get("http://gateway/reload")).status_code == 405
        assert (await client.get("http://gateway/page")).text == "hello"
    assert admin.reloads == 1
    assert admin.control.stat().st_mode & 0o777 == 0o600


async def test_a_request_with_a_body_is_the_last_of_its_connection(admin: Running) -> None:
    smuggled = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
    data = b"GET /page HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    answer = await admin.raw(data + smuggled)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close" in answer


async def test_nonsense_gets_a_problem_and_is_closed(admin: Running) -> None:
    answer = await admin.raw(b"GET /page HTTP/1.1\r\nHost : a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_many_callers_at_once_are_bounded(admin: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.supervisor.admin.MAX_CONNECTIONS", 2)
    waiting = [await asyncio.open_connection(*admin.port) for _ in range(2)]
    refused, writer = await asyncio.open_connection(*admin.port)
    async with asyncio.timeout(5.0):
        assert await refused.read() == b""
    for _, other in [*waiting, (refused, writer)]:
        other.close()

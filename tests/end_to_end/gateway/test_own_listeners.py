"""Listeners of documents at the gateway's processes: bound while it runs, moved without a failed call, let go."""

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshway.snapshot import Change
from meshway.tasks import spawn
from tests.parts.authority import Authority
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService
from tests.parts.ports import free_port, is_taken

ROOT = Authority()


def listener(port: int, name: str = "partner", **spec: Any) -> Change:
    return document("Listener", name, {"port": port, "protocol": "http"} | spec, "mesh")


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    """Two services, one for the edge and one for whoever comes by the Listener `partner`."""
    async with PlainService("books") as books, PlainService("stock") as stock, Feed() as feed:
        feed.commit(
            running("books", "b1", port=books.port),
            running("stock", "s1", port=stock.port),
            document("Route", "all", edge_route(to("books"), hosts=["*"])),
        )
        yield feed


async def body(port: int, path: str = "/", host: str = "shop.example") -> str:
    """Of an answer, or its status where it is none of a service."""
    async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    return answer.text if answer.status_code == 200 else str(answer.status_code)


async def open_at(port: int, is_open: bool = True) -> None:
    await until(lambda: is_taken(port) == is_open, 15.0, what=f"port {port} {'opened' if is_open else 'closed'}")


@pytest.mark.proves("Listener.port", "Listener.protocol", "Listener.routes", "Listener.enabled", "Listener.gateways")
async def test_a_listener_is_opened_and_serves_the_routes_that_name_it(feed: Feed, tmp_path: Path) -> None:
    port = free_port()
    async with GatewayProcess(tmp_path, feed.url, workers=2) as gateway:
        edge = int(gateway.edge.rpartition(":")[2])
        own = document(
            "Route", "own", edge_route(to("stock", {"prefix": "/stock"}), hosts=["*"], listeners=["partner"])
        )
        feed.commit(listener(port), own)
        await open_at(port)
        assert [await body(port), await body(port, "/stock")] == ["books", "stock"]
        assert [await body(edge), await body(edge, "/stock")] == ["books", "books"]
        await gateway.wait_for_revision(feed.commit(listener(port, routes="named")))
        assert [await body(port), await body(port, "/stock")] == ["404", "stock"]
        assert (await gateway.config())["listeners"] == {"partner": f"http://127.0.0.1:{port}"}
        await until(lambda: {line["listener"] for line in gateway.access_log()} == {"partner", "edge"}, what="the log")
        text = (await gateway.client.get(f"{gateway.admin}/metrics")).text
        assert 'meshway_requests_total{listener="partner"' in text
        for change in (
            listener(port, enabled=False),
            listener(port),
            listener(port, gateways=[{"prefix": "other-"}]),
            listener(port, gateways=["gw-1"]),
            gone("Listener", "partner", "mesh"),
        ):
            feed.commit(change)
            is_open = (
                change.op == "put" and b"enabled" not in bytes(change.value) and b"other-" not in bytes(change.value)
            )
            await open_at(port, is_open)
        assert await body(edge) == "books"


async def test_a_listener_moves_without_a_failed_call(feed: Feed, tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    feed.commit(listener(first))
    async with GatewayProcess(tmp_path, feed.url, workers=2) as gateway:
        await open_at(first)
        reader, writer = await asyncio.open_connection("127.0.0.1", first)

        async def ask() -> bytes:
            writer.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.readexactly(len("books"))

        with closing(writer):
            assert b"Connection: close" not in await ask()
            feed.commit(listener(second))
            await open_at(second)
            await open_at(first, False)
            told = await ask()
        assert (told.startswith(b"HTTP/1.1 200"), b"Connection: close" in told) == (True, True)
        before = set(await gateway.worker_pids())
        gateway.send(signal.SIGHUP)
        is_reloaded = spawn(gateway.wait_for_workers(but=before, count=2, within_s=20.0), name="wait")
        calls = 0
        while not is_reloaded.done():
            assert await body(second) == "books"
            calls += 1
        assert (calls > 0, await body(second)) == (True, "books")


async def served(*ports: int) -> list[str]:
    try:
        return [await body(port) for port in ports]
    except httpx.ConnectError:
        return []


async def test_two_that_swap_ports_and_one_that_drains_serve_their_own_routes(feed: Feed, tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    own = document("Route", "own", edge_route(to("stock", {"prefix": "/stock"}), hosts=["*"], listeners=["inside"]))
    feed.commit(own, listener(first), listener(second, "inside", routes="named"))
    async with GatewayProcess(tmp_path, feed.url, workers=2) as gateway:
        await open_at(first)
        await open_at(second)
        reader, writer = await asyncio.open_connection("127.0.0.1", second)
        with closing(writer):
            writer.write(b"GET /stock HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await reader.readexactly(len("stock"))
            await gateway.wait_for_revision(feed.commit(listener(second), listener(first, "inside", routes="named")))
            async with asyncio.timeout(15.0):  # until the former ones are let go: for a moment nobody may be there
                while await served(second, first) != ["books", "404"]:
                    await asyncio.sleep(0.05)
            for _ in range(10):
                assert [await body(second), await body(first), await body(first, "/stock")] == ["books", "404", "stock"]
            urls = {"partner": f"http://127.0.0.1:{second}", "inside": f"http://127.0.0.1:{first}"}
            assert (await gateway.config())["listeners"] == urls
            assert feed.reports[-1]["refused"] == []
            await gateway.wait_for_revision(feed.commit(gone("Listener", "inside", "mesh")))
            writer.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            told = await reader.readuntil(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 404"), "who drains is served by the Routes of his listener, not by the edge's"
        assert await body(second) == "books"


async def test_what_cannot_be_bound_is_reported_and_the_former_one_stays(feed: Feed, tmp_path: Path) -> None:
    port = free_port()
    feed.commit(listener(port))
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        await open_at(port)

        async def refused(path: str, reason: str) -> None:
            def is_told() -> bool:
                found = feed.reports[-1]["refused"] if feed.reports else []
                return [each["path"] for each in found] == [path] and reason in found[0]["reason"]

            await until(is_told, 15.0, what=f"a refusal at {path}")
            assert await body(port) == "books"

        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            feed.commit(listener(other.getsockname()[1]))
            await refused("spec.port", "is taken by another process")
        feed.commit(listener(port, address="0.0.0.0"))
        await refused("spec.address", "--insecure")
        feed.commit(listener(port))
        await until(lambda: feed.reports[-1]["refused"] == [], 15.0, what="no refusal")
        assert "Listener mesh/partner" in gateway.text()


@pytest.mark.proves("Listener.address", "Listener.face")
async def test_one_with_tls_asks_for_certificates_from_its_first_caller_on(feed: Feed, tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "certificates"
    folder.mkdir()
    issued = ROOT.issue("localhost")
    (folder / "c.pem").write_bytes(issued.certificate)
    (folder / "k.pem").write_bytes(issued.key)
    files = {"files": {"certificate": "c.pem", "key": "k.pem"}, "listeners": ["partner"]}
    own = {"protocol": "https", "face": "mesh", "address": "0.0.0.0"}
    async with GatewayProcess(tmp_path, feed.url, workers=1, certificates_dir=str(folder)) as gateway:
        feed.commit(document("Certificate", "c", files, "mesh"), listener(port, **own, tls={"client_auth": "none"}))
        await open_at(port)
        context = ssl.create_default_context(cadata=ROOT.pem.decode())
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=10.0) as client:
            answer = await client.get(f"https://localhost:{port}/", headers={"Host": "stock.default.mesh"})
        assert (answer.status_code, answer.text) == (200, "stock")
        feed.commit(listener(port, **own, tls={"client_auth": "require"}))  # no authority is known: nobody comes in
        await gateway.wait_for_revision(feed.revision)

        def is_let_in() -> bool:
            with socket.create_connection(("127.0.0.1", port), timeout=10.0) as plain:
                try:
                    context.wrap_socket(plain, server_hostname="localhost").close()
                except (ssl.SSLError, ConnectionError):
                    return False
            return True

        assert not await asyncio.to_thread(is_let_in)

"""HTTP/3 at the gateway's processes: told of, called, and over a worker's end."""

import asyncio
import contextlib
import os
import signal
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.wire.http3 import frames
from meshway.snapshot import Change
from tests.parts.authority import Authority
from tests.parts.changes import document, edge_route, running, to
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.http2_caller import head
from tests.parts.http3_caller import calling, knocking
from tests.parts.plain_service import PlainService
from tests.parts.ports import free_port

ROOT = Authority()
NAME = "localhost"


def certified(folder: Path, **fields: Any) -> Change:
    folder.mkdir()
    issued = ROOT.issue(NAME)
    (folder / "c.pem").write_bytes(issued.certificate)
    (folder / "k.pem").write_bytes(issued.key)
    files = {"files": {"certificate": "c.pem", "key": "k.pem"}}
    return document("Certificate", "c", files | fields, "mesh")


async def alt_svc(client: httpx.AsyncClient, url: str) -> str:
    try:
        return str((await client.get(url)).headers.get("alt-svc", ""))
    except httpx.ConnectError:  # the certificate is not held yet
        return ""


@pytest.mark.proves("Listener.http3", "Http3.enabled", "Http3.alt_svc_max_age")
async def test_who_is_told_of_http_3_finds_it_and_is_told_when_his_worker_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    beside = document("Listener", "edge-tls", {"http3": {"enabled": True, "alt_svc_max_age": "1h"}}, "mesh")
    async with (
        PlainService("books") as books,
        Feed() as feed,
        GatewayProcess(tmp_path, feed.url, workers=1, certificates_dir=str(folder)) as gateway,
    ):
        route = document("Route", "all", edge_route(to("books"), hosts=["*"]))
        feed.commit(running("books", "b1", port=books.port), route, certified(folder), beside)
        port = int(gateway.edge_tls.rpartition(":")[2])
        async with httpx.AsyncClient(
            verify=ssl.create_default_context(cadata=ROOT.pem.decode()), trust_env=False, timeout=10.0
        ) as client:
            deadline = asyncio.get_running_loop().time() + 15.0
            while await alt_svc(client, f"https://{NAME}:{port}/") != f'h3=":{port}"; ma=3600':
                assert asyncio.get_running_loop().time() < deadline, gateway.text()
                await asyncio.sleep(0.05)
        async with calling(port, NAME) as caller:
            get = head(b"GET", b"/", NAME.encode(), b"https")
            answer = await caller.answer(caller.begin(get))
            assert (answer.status, bytes(answer.body)) == (200, b"books")
            assert b"alt-svc" not in answer.fields
            await until(lambda: any(each["protocol"] == "HTTP/3" for each in gateway.access_log()), what="its line")
            (first,) = await gateway.worker_pids()
            os.kill(first, signal.SIGKILL)
            await gateway.wait_for_workers({first}, 1, 40.0)
            # What it says of its connection is answered by who does not know it, and it ends at once.
            deadline = asyncio.get_running_loop().time() + 20.0
            while not caller.is_reset:
                assert asyncio.get_running_loop().time() < deadline, "nobody tells him"
                caller.quic.send_ping(1)
                caller.transmit()
                await asyncio.sleep(0.1)
        async with calling(port, NAME) as again:
            assert (await again.answer(again.begin(get))).status == 200


async def test_a_reload_fails_no_call(tmp_path: Path) -> None:
    folder, go, came = tmp_path / "certificates", asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                if b"/slow" in await reader.readuntil(b"\r\n\r\n"):
                    came.set()
                    await go.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with (
        await asyncio.start_server(serve, "127.0.0.1", 0) as service,
        Feed() as feed,
        GatewayProcess(tmp_path, feed.url, workers=2, certificates_dir=str(folder)) as gateway,
    ):
        port, place = free_port(), service.sockets[0].getsockname()[1]
        alone = document("Listener", "quick", {"port": port, "protocol": "http3"}, "mesh")
        certificate = certified(folder, listeners=["quick"])
        route = document("Route", "all", edge_route(to("books"), hosts=["*"]))
        feed.commit(running("books", "b1", port=place), route, certificate, alone)
        deadline = asyncio.get_running_loop().time() + 20.0
        while True:
            assert asyncio.get_running_loop().time() < deadline, gateway.text()
            async with knocking(port, NAME) as first:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await first.until(lambda on=first: on.h3 is not None or on.closed is not None)
                if first.h3 is not None:
                    break
        async with contextlib.AsyncExitStack() as stack:
            callers = [await stack.enter_async_context(calling(port, NAME)) for _ in range(6)]  # of both workers
            slow = [caller.get(b"/slow", authority=NAME.encode()) for caller in callers]
            await asyncio.wait_for(came.wait(), 10.0)
            before = set(await gateway.worker_pids())
            gateway.send(signal.SIGHUP)
            await gateway.wait_for_workers(before, 2, 40.0)
            await until(lambda: all(caller.goaway is not None for caller in callers), what="the word that they leave")
            for _ in range(6):
                async with calling(port, NAME) as new:
                    answer = await new.answer(new.get(b"/", authority=NAME.encode()))
                    assert (answer.status, new.goaway) == (200, None)
            go.set()
            for caller, stream in zip(callers, slow, strict=True):
                assert (await caller.answer(stream)).status == 200
                assert await caller.ended() == frames.NO_ERROR
        assert {line["status"] for line in gateway.access_log()} == {200}

"""HTTP/3 at the gateway's processes: told of, called, and over a worker's end."""

import asyncio
import os
import signal
import ssl
from pathlib import Path

import httpx
import pytest

from meshway.snapshot import Change
from tests.parts.authority import Authority
from tests.parts.changes import document, edge_route, running, to
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.http2_caller import head
from tests.parts.http3_caller import calling
from tests.parts.plain_service import PlainService

ROOT = Authority()
NAME = "localhost"


def certified(folder: Path) -> Change:
    folder.mkdir()
    issued = ROOT.issue(NAME)
    (folder / "c.pem").write_bytes(issued.certificate)
    (folder / "k.pem").write_bytes(issued.key)
    return document("Certificate", "c", {"files": {"certificate": "c.pem", "key": "k.pem"}}, "mesh")


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
            await until(lambda: [each["protocol"] for each in gateway.access_log()][-1:] == ["HTTP/3"], what="its line")
            (first,) = await gateway.worker_pids()
            os.kill(first, signal.SIGKILL)
            await gateway.wait_for_workers({first}, 1, 20.0)
            # What it says of its connection is answered by who does not know it, and it ends at once.
            deadline = asyncio.get_running_loop().time() + 20.0
            while not caller.is_reset:
                assert asyncio.get_running_loop().time() < deadline, "nobody tells him"
                caller.quic.send_ping(1)
                caller.transmit()
                await asyncio.sleep(0.1)
        async with calling(port, NAME) as again:
            assert (await again.answer(again.begin(get))).status == 200

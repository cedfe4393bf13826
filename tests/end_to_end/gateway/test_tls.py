"""Callers by TLS at the gateway's processes: certificates from files, replaced under load without a failed call."""

import asyncio
import json
import signal
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.parts.authority import Authority, Issued
from tests.parts.changes import document, edge_route, running, to
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService

ROOT = Authority()
SHOP = {"files": {"certificate": "shop.pem", "key": "shop.key"}, "listeners": ["edge-tls", "mesh-tls"]}


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    async with PlainService("books") as books, Feed() as feed:
        feed.commit(
            running("books", "b1", port=books.port),
            document("Route", "r", edge_route(to("books"), hosts=["*"])),
            document("Certificate", "shop", SHOP, "mesh"),
        )
        yield feed


def write(folder: Path, issued: Issued) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "shop.pem").write_bytes(issued.certificate)
    (folder / "shop.key").write_bytes(issued.key)


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ROOT.pem.decode())


class Visitor:
    """Calls on and on, on a new connection each few calls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self.failures: list[str] = []
        self.serials: set[str] = set()
        self.is_leaving = False

    def has_seen(self, issued: Issued) -> bool:
        return f"{issued.leaf.serial_number:x}" in self.serials

    async def run(self) -> None:
        while not self.is_leaving:
            try:
                async with httpx.AsyncClient(verify=trusting(), trust_env=False, timeout=10.0) as client:
                    for _ in range(3):
                        async with client.stream("GET", self.url) as answer:
                            tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
                            self.serials.add(tls.getpeercert()["serialNumber"].lower().lstrip("0"))
                            await answer.aread()
                        self.statuses.append(answer.status_code)
            except httpx.HTTPError as error:
                self.failures.append(repr(error))


async def test_certificates_are_replaced_and_workers_too_without_a_failed_call(feed: Feed, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "certificates"
    first, second, third = (ROOT.issue("localhost", "127.0.0.1") for _ in range(3))
    write(folder, first)
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        visitor = Visitor(gateway.edge_tls.replace("127.0.0.1", "localhost"))
        async with asyncio.TaskGroup() as group:
            group.create_task(visitor.run())
            for issued in (first, second, third):
                write(folder, issued)
                before = set(await gateway.worker_pids())
                gateway.send(signal.SIGHUP)
                await gateway.wait_for_workers(before, 2)
                await until(partial(visitor.has_seen, issued), 20.0, what="the new certificate")
            visitor.is_leaving = True
        assert visitor.failures == []
        assert set(visitor.statuses) == {200}
        assert (
            await gateway.metric("meshway_certificate_not_after_seconds") == third.leaf.not_valid_after_utc.timestamp()
        )
        assert await gateway.metric("meshway_tls_handshakes_total") > 0


async def test_a_pair_that_may_not_serve_is_reported_and_the_former_one_stays(feed: Feed, tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    write(folder, ROOT.issue("localhost"))
    async with GatewayProcess(tmp_path, feed.url, workers=1, certificates_dir=str(folder)) as gateway:
        (folder / "shop.key").write_text(
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWNhbmFyeQ==\n-----END PRIVATE KEY-----\n"
        )
        gateway.send(signal.SIGHUP)
        await until(lambda: feed.reports and feed.reports[-1]["refused"], 20.0, what="the refusal")
        [refused] = feed.reports[-1]["refused"]
        assert (refused["kind"], refused["name"], refused["path"]) == ("Certificate", "shop", "spec.files")
        assert refused["reason"] == "no private key in PEM can be read"
        async with httpx.AsyncClient(verify=trusting(), trust_env=False) as client:
            url = gateway.mesh_tls.replace("127.0.0.1", "localhost")
            answer = await client.get(url, headers={"Host": "books.default.mesh"})
        assert (answer.status_code, answer.text) == (200, "books")
        assert "c2VjcmV0" not in gateway.text() + json.dumps(await gateway.config())

"""CONNECT on the mesh: to ports of registered services that speak something else than HTTP, and nowhere else."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.exchange import EDGE, MESH
from tests.parts.changes import document, gone, running
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.ports import free_port
from tests.parts.tcp import echo, serving

PORTS = [{"name": "pg", "port": 5432, "protocol": "tcp"}, {"name": "web", "port": 80}]


@asynccontextmanager
async def database(port: int, *changes: Any, face: int = MESH) -> AsyncIterator[CompiledGateway]:
    service = document("Service", "db", {"ports": PORTS, "aliases": ["db.example"]})
    async with compiled_gateway(service, running("db", "1", port=port), *changes, face=face) as gateway:
        yield gateway


async def connect(gateway: CompiledGateway, target: str, early: bytes = b"hello") -> tuple[int, bytes]:
    """Status, and what comes behind the head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode() + early)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10.0)
        status = int(head.split(b" ")[1])
        if status != 200:
            size = re.search(rb"(?i)content-length: ([0-9]+)", head)
            return status, await reader.readexactly(int(size[1]) if size else 0)
        writer.write_eof()
        return status, await asyncio.wait_for(reader.read(), 10.0)
    finally:
        writer.close()


@pytest.mark.parametrize("host", ["db.default.mesh", "db.default", "db", "DB.default.mesh", "db.example"])
async def test_a_registered_port_is_reached_by_any_name_of_its_service(host: str) -> None:
    async with serving(echo(b"ready ")) as port, database(port) as gateway:
        assert await connect(gateway, f"{host}:5432") == (200, b"ready hello")
        await until(lambda: bool(gateway.lines), what="a line")
        line = gateway.lines[-1]
        told = {"method": "CONNECT", "status": 200, "service": "default/db", "instance": "1", "bytes_in": 5}
        assert line | told == line


@pytest.mark.parametrize(
    "target",
    ["db.default.mesh:80", "db.default.mesh:22", "127.0.0.1:5432", "metadata.example:80", "nobody.default:5432"],
)
async def test_nothing_else_is_reached(target: str) -> None:
    async with serving(echo(b"ready")) as port, database(port) as gateway:
        status, body = await connect(gateway, target)
        told = json.loads(body)
        assert (status, told["code"]) == (403, "egress_denied")
        assert told["detail"].endswith(f": {target} is none")
        assert gateway.lines[-1]["policy"] == "listener mesh"


async def test_the_edge_offers_none() -> None:
    async with serving(echo(b"ready")) as port, database(port, face=EDGE) as gateway:
        status, _ = await connect(gateway, "db.default.mesh:5432")
        assert status == 405


async def test_policies_hold_and_failures_are_told_as_of_calls() -> None:
    denied = {"targets": [{"service": "db"}], "rules": [{"action": "deny", "from": [{"cidr": ["127.0.0.0/8"]}]}]}
    async with serving(echo(b"ready")) as port, database(port, document("AccessPolicy", "a", denied)) as gateway:
        status, body = await connect(gateway, "db:5432")
        assert (status, json.loads(body)["code"]) == (403, "denied")
        assert gateway.lines[-1]["policy"] == "AccessPolicy default/a"
        gateway.apply(document("AccessPolicy", "a", {"targets": [{"service": "db"}], "default": "allow"}))
        assert (await connect(gateway, "db:5432", b""))[0] == 200
        gateway.apply(running("db", "1", port=free_port()))
        status, body = await connect(gateway, "db:5432")
        assert (status, json.loads(body)["code"]) == (502, "connect_failed")


async def test_a_newer_revision_ends_what_it_does_not_allow() -> None:
    service = {"ports": PORTS}
    denied = {"targets": [{"service": "db"}], "rules": [{"action": "deny", "from": [{"cidr": ["127.0.0.0/8"]}]}]}
    async with serving(echo(b"ready ")) as port, database(port) as gateway:

        async def begun() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"ready "), 10.0)
            return reader, writer

        for change, reason in (
            (document("AccessPolicy", "a", denied), "denied"),
            (document("Service", "db", {"ports": PORTS[1:]}), "egress_denied"),
        ):
            reader, writer = await begun()
            gateway.apply(document("Service", "other", service))
            writer.write(b"1")
            assert await asyncio.wait_for(reader.readexactly(1), 10.0) == b"1", "another service is not its own"
            gateway.apply(change)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 10.0)
            writer.close()
            await until(lambda: bool(gateway.lines), what="a line")
            line = gateway.lines.pop()
            assert (line["reason"], line["status"]) == (reason, 200)
            if reason == "denied":
                gateway.apply(gone("AccessPolicy", "a"))


async def test_a_newer_revision_answers_who_waits_for_his_turn_and_leaves_nothing_of_him_behind() -> None:
    one = document("TrafficPolicy", "p", {"targets": [{"service": "db"}], "bulkhead": {"max_requests": 1}})
    denied = {"targets": [{"service": "db"}], "rules": [{"action": "deny", "from": [{"cidr": ["127.0.0.2/32"]}]}]}
    async with serving(echo(b"ready ")) as port, database(port, one) as gateway:

        async def begin(source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, local_addr=(source, 0))
            writer.write(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n")
            return reader, writer

        running_one, his = await begin("127.0.0.1")
        await asyncio.wait_for(running_one.readuntil(b"ready "), 10.0)
        waiting, its = await begin("127.0.0.2")
        assert gateway.listener is not None
        connections = gateway.listener.connections
        await until(lambda: len(connections) == 2, what="two connections")
        gateway.apply(document("AccessPolicy", "a", denied))
        head = await asyncio.wait_for(waiting.readuntil(b"\r\n\r\n"), 10.0)
        assert head.startswith(b"HTTP/1.1 403 ")
        assert json.loads(await asyncio.wait_for(waiting.read(), 10.0))["code"] == "denied"
        its.close()
        await until(lambda: bool(gateway.lines), what="a line")
        line = gateway.lines.pop()
        assert (line["status"], line["reason"], line["policy"]) == (403, "denied", "AccessPolicy default/a")
        his.close()
        await until(lambda: not connections, what="the place to be free")
        assert await connect(gateway, "db:5432", b"next") == (200, b"ready next")

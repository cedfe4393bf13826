"""PostgreSQL and Valkey through a gateway's processes, in clear and by TLS, while its workers are replaced."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import redis.asyncio

from tests.parts.authority import Authority
from tests.parts.changes import document, running
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.ports import free_port, is_taken
from tests.parts.postgres import Postgres
from tests.parts.valkey import Valkey

ROOT = Authority()
ROWS = 20_000
HASH = "SELECT md5(string_agg(text, ',' ORDER BY id)) FROM rows"


def listener(name: str, port: int, protocol: str, **fields: Any) -> Any:
    return document("Listener", name, {"port": port, "protocol": protocol} | fields, "mesh")


def route(name: str, listeners: list[str], service: str, **fields: Any) -> Any:
    return document("TcpRoute", name, {"listeners": listeners, "destinations": [{"service": service}]} | fields)


@asynccontextmanager
async def through(folder: Path, *services: Any) -> AsyncIterator[tuple[GatewayProcess, dict[str, int]]]:
    """A gateway, and the ports of its listeners `pg`, `pg-tls` and `kv`."""
    ports = {name: free_port() for name in ("pg", "pg-tls", "kv")}
    issued, certificates = ROOT.issue("localhost"), folder / "data" / "certificates"
    certificates.mkdir(parents=True)
    (certificates / "db.pem").write_bytes(issued.certificate)
    (certificates / "db.key").write_bytes(issued.key)
    files = {"files": {"certificate": "db.pem", "key": "db.key"}, "listeners": ["pg-tls"]}
    async with Feed() as feed:
        feed.commit(
            *services,
            document("Certificate", "db", files, "mesh"),
            listener("pg", ports["pg"], "tcp"),
            listener("pg-tls", ports["pg-tls"], "tls", tls={"mode": "terminate", "certificates": ["db"]}),
            listener("kv", ports["kv"], "tcp"),
            route("db", ["pg", "pg-tls"], "db"),
            route("kv", ["kv"], "kv"),
        )
        async with GatewayProcess(folder, feed.url, workers=2) as gateway:
            await until(lambda: all(is_taken(port) for port in ports.values()), 15.0, what="open listeners")
            yield gateway, ports


async def test_a_database_and_a_store_are_used_as_without_the_gateway(
    tmp_path: Path, postgres: Postgres, valkey: Valkey
) -> None:
    database = urlsplit(postgres.new_database()).path.strip("/")
    services = running("db", "1", port=postgres.port), running("kv", "1", port=valkey.port)
    async with through(tmp_path, *services) as (gateway, ports):
        await _use_database(gateway, ports, database)
        await _use_store(ports["kv"])
        await until(lambda: {line["route"] for line in gateway.access_log()} >= {"default/db", "default/kv"})
        assert {(line["protocol"], line["status"]) for line in gateway.access_log()} == {("TCP", 200)}
        assert await gateway.metric("meshway_requests_total") >= 3


async def _use_database(gateway: GatewayProcess, ports: dict[str, int], database: str) -> None:
    how: dict[str, Any] = {"user": "meshway", "database": database, "host": "localhost"}
    plain = await asyncpg.connect(port=ports["pg"], ssl=False, **how)
    await plain.execute("CREATE TABLE rows (id int, text text)")
    rows = [(number, f"row {number} " * 20) for number in range(ROWS)]
    await plain.copy_records_to_table("rows", records=rows)
    trusting = ssl.create_default_context(cadata=ROOT.pem.decode())
    secured = await asyncpg.connect(port=ports["pg-tls"], ssl=trusting, direct_tls=True, **how)
    assert await secured.fetchval(HASH) == await plain.fetchval(HASH)
    read = await secured.fetch("SELECT id, text FROM rows ORDER BY id")
    assert [(row["id"], row["text"]) for row in read] == rows
    before = set(await gateway.worker_pids())
    gateway.send(signal.SIGHUP)
    await gateway.wait_for_workers(before, 2)
    for connection in (plain, secured):
        assert await connection.fetchval("SELECT count(*) FROM rows") == ROWS, "open ones live on"
    fresh = await asyncpg.connect(port=ports["pg-tls"], ssl=trusting, direct_tls=True, **how)
    assert await fresh.fetchval("SELECT 1") == 1
    async with asyncio.timeout(10.0):
        for connection in (plain, secured, fresh):
            await connection.close()


async def _use_store(port: int) -> None:
    async with redis.asyncio.Redis(port=port) as store:
        async with store.pipeline() as pipeline:
            for number in range(1_000):
                pipeline.set(f"key-{number}", b"x" * number)
            assert await pipeline.execute() == [True] * 1_000
        assert await store.strlen("key-999") == 999
        async with store.pubsub() as heard:
            await heard.subscribe("news")
            await heard.get_message(timeout=10.0)
            await store.publish("news", "hello")
            message = await heard.get_message(ignore_subscribe_messages=True, timeout=10.0)
            assert message is not None
            assert message["data"] == b"hello"

"""Keys, passwords and issuers' keys that change while calls go on, at two gateways of two workers each; what is taken
back, what outlives a restart without a registry, and what stands nowhere in clear."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway.test_key_fetching import Publisher
from tests.parts.gateway_process import GatewayProcess
from tests.parts.load import Load
from tests.parts.plain_service import PlainService
from tests.parts.planes import Registry
from tests.parts.secrets import api_key, kept
from tests.parts.tokens import AUDIENCE, ISSUER, SigningKey, token

CANARY = "canary-f00d-1d"
OLD, NEW = api_key("acme0001"), api_key("acme0002")
LISTED = api_key("list0001")
WITHIN_S = 5.0
ROUNDS = 8  # connections of their own, so that each worker is met


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    (tmp_path / "registry").mkdir()
    running = Registry(tmp_path / "registry")
    yield running
    running.close()


@asynccontextmanager
async def gateways_at(folder: Path, url: str, count: int, workers: int) -> AsyncIterator[list[GatewayProcess]]:
    async with AsyncExitStack() as stack:
        running = []
        for at in range(count):
            place = folder / f"gw-{at}"
            place.mkdir(exist_ok=True)
            running.append(
                await stack.enter_async_context(GatewayProcess(place, url, workers=workers, node=place.name))
            )
        yield running


def document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


async def apply(registry: Registry, *documents: dict[str, Any]) -> None:
    """Until all gateways run it."""

    def send() -> None:
        body = {"documents": list(documents)}
        registry.client.post("/v1/apply", json=body, headers={"Prefer": "wait=10"}).raise_for_status()

    await asyncio.to_thread(send)


def consumer(*keys: str) -> dict[str, Any]:
    return document("Consumer", "acme", {"credentials": [{"api_key": kept(key)} for key in keys]})


def password(word: str) -> str:
    return "Basic " + base64.b64encode(f"ada:{word}".encode()).decode()


async def statuses(gateways: list[GatewayProcess], **fields: str) -> set[int]:
    """Of calls on connections of their own, to both."""
    found = set()
    for gateway in gateways:
        port = int(gateway.edge.rpartition(":")[2])
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        for _ in range(ROUNDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{lines}\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10.0)
            writer.close()
            found.add(int(head[9:12]))
    return found


def documents(publisher: Publisher) -> list[dict[str, Any]]:
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_uri": publisher.url, "jwks_refresh": "5s"}
    methods = [{"api_key": {"secret": "partners"}}, {"basic": {"secret": "users"}}, {"jwt": jwt}]
    return [
        document("Route", "shop", {"hosts": ["shop.example"], "rules": [{"destinations": [{"service": "books"}]}]}),
        consumer(OLD),
        document("Secret", "partners", {"type": "api_key_set", "data": [kept(LISTED)]}),
        document("Secret", "users", {"type": "basic_users", "data": [{"username": "ada", "password": CANARY}]}),
        document("Authentication", "callers", {"methods": methods}),
    ]


@pytest.mark.timeout(180)
async def test_credentials_change_under_load_and_what_is_taken_back_is_refused_everywhere_within_seconds(
    registry: Registry, tmp_path: Path
) -> None:
    first, second = SigningKey("EC"), SigningKey("EC")
    publisher = Publisher(("first", first))
    async with (
        PlainService("books") as books,
        publisher.upstream.running(),
        gateways_at(tmp_path, registry.url, 2, 2) as gateways,
    ):
        registry.register("books", "b1", books.port)
        await apply(registry, *documents(publisher))
        tokens = {"now": token(first, kid="first")}
        keys = {"now": OLD}
        for field in ({"x_api_key": OLD}, {"x_api_key": LISTED}, {"authorization": password(CANARY)}):
            assert await statuses(gateways, **field) == {200}
        await until_all(gateways, 200, authorization=f"Bearer {tokens['now']}")

        def request(number: int) -> tuple[str, str, bytes]:
            shown = f"X-API-Key: {keys['now']}" if number % 2 else f"Authorization: Bearer {tokens['now']}"
            return "GET", str(number), f"GET / HTTP/1.1\r\nHost: shop.example\r\n{shown}\r\n\r\n".encode()

        loads = [Load(int(gateway.edge.rpartition(":")[2]), 1, request) for gateway in gateways]
        running = asyncio.gather(*(load.run() for load in loads))
        try:
            await apply(registry, consumer(OLD, NEW))
            keys["now"] = NEW
            publisher.keys = (("first", first), ("second", second))
            fresh = token(second, kid="second")
            await until_all(gateways, 200, authorization=f"Bearer {fresh}")
            tokens["now"] = fresh
            await apply(registry, document("Secret", "partners", {"type": "api_key_set", "data": [kept(NEW)]}))
            assert await statuses(gateways, x_api_key=LISTED) == {200}, "the overlap"
            await asyncio.sleep(0.5)  # calls that were made of the old ones end
            await apply(registry, consumer(NEW))
            await until_all(gateways, 401, within_s=WITHIN_S, x_api_key=OLD)
            gone = document("Secret", "partners", {"type": "api_key_set", "keep": True, "drop_old": True})
            await apply(registry, gone)
            await until_all(gateways, 401, within_s=WITHIN_S, x_api_key=LISTED)
            changed = {"type": "basic_users", "data": [{"username": "ada", "password": "x"}], "drop_old": True}
            await apply(registry, document("Secret", "users", changed))
            await until_all(gateways, 401, within_s=WITHIN_S, authorization=password(CANARY))
            assert await statuses(gateways, authorization=password("x")) == {200}
        finally:
            for load in loads:
                load.stopping.set()
            await running
        calls = [call for load in loads for call in load.calls]
        assert len(calls) > 100
        assert [(call.status, call.error) for call in calls if call.status != 200] == []


@pytest.mark.timeout(120)
async def test_contents_outlive_restarts_without_a_registry_and_stand_nowhere_in_clear(
    registry: Registry, tmp_path: Path
) -> None:
    first = SigningKey("EC")
    publisher = Publisher(("first", first))
    bearer = f"Bearer {token(first, kid='first')}"
    async with PlainService("books") as books:
        async with publisher.upstream.running(), gateways_at(tmp_path, registry.url, 1, 1) as gateways:
            registry.register("books", "b1", books.port)
            await apply(registry, *documents(publisher))
            spare = document("Secret", "spare", {"type": "opaque", "data": {"client": CANARY}})
            await apply(registry, spare)
            await until_all(gateways, 200, authorization=bearer)
            assert await statuses(gateways, authorization=password(CANARY)) == {200}
            assert await statuses(gateways, authorization=password("wrong")) == {401}
            told = [(await gateway.client.get(f"{gateway.admin}/{page}")).text for page in ("config", "metrics")
                    for gateway in gateways]  # fmt: skip
        registry.process.stop()
        async with gateways_at(tmp_path, registry.url, 1, 1) as gateways:
            proofs = [{"x_api_key": OLD}, {"x_api_key": LISTED}, {"authorization": password(CANARY)}]
            for fields in (*proofs, {"authorization": bearer}):
                assert await statuses(gateways, **fields) == {200}, fields
            assert await statuses(gateways, x_api_key=NEW) == {401}
            told += [json.dumps(gateway.access_log()) for gateway in gateways]
    secret = base64.b64encode(f"ada:{CANARY}".encode())
    for text in told:
        assert CANARY not in text
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for planted in (CANARY.encode(), secret, OLD.encode(), LISTED.encode(), bearer.encode()):
                assert planted not in content, (file, planted)


async def until_all(
    gateways: list[GatewayProcess], status: int, *, within_s: float = 4 * WITHIN_S, **fields: str
) -> None:
    end = time.monotonic() + within_s
    while await statuses(gateways, **fields) != {status}:
        assert time.monotonic() < end, (status, [gateway.text()[-2000:] for gateway in gateways])
        await asyncio.sleep(0.05)

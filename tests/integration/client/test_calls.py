"""Calls by name, through a real gateway."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from meshway.client import AsyncMesh, Mesh, MeshSettings
from meshway.tasks import spawn
from tests.parts.conditions import until, wait_until
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[MeshSettings]:
    registry = Registry(tmp_path)
    gateway = Gateway(tmp_path, registry.url)
    yield MeshSettings(registry=registry.url, gateway=f"http://127.0.0.1:{gateway.mesh_port}", namespace="shop")
    gateway.close()
    registry.close()


class Shop:
    """front calls back by name; back tells what it received. Both in this process, on the SDK, as a user writes it."""

    def __init__(self, settings: MeshSettings) -> None:
        self.mesh = Mesh(settings)
        self.client = httpx.AsyncClient(transport=self.mesh.async_transport())
        self.servers: list[uvicorn.Server] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Shop":
        self.start("front", Route("/ask", self.ask))
        self.start("back", Route("/seen", self.seen, methods=["GET", "POST"]))
        await until(lambda: all(server.started for server in self.servers), 10)
        return self

    def start(self, service: str, route: Route) -> None:
        port = free_port()
        app = Starlette(routes=[route], lifespan=self.mesh.lifespan(service, port=port))
        app.add_middleware(self.mesh.middleware)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
        self.servers.append(server)
        # Without `serve`, which would take the signals of the tests' own process.
        self.tasks.append(spawn(server._serve(), name=service))

    async def ask(self, request: Request) -> JSONResponse:
        answer = await self.client.get("http://back/seen")
        return JSONResponse(answer.json())

    async def seen(self, request: Request) -> JSONResponse:
        body = await request.body()
        return JSONResponse({"headers": dict(request.headers), "body": body.decode(), "path": request.url.path})

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        for server in self.servers:
            server.should_exit = True
        async with asyncio.timeout(15):
            await asyncio.gather(*self.tasks)


async def test_a_call_inside_a_call_takes_trace_id_and_deadline_along(settings: MeshSettings) -> None:
    mesh = AsyncMesh(settings)
    async with Shop(settings):
        await _is_callable(mesh, "front", "/ask")
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        headers = {"traceparent": trace, "x-request-id": "request-4711", "meshway-deadline": "4000"}
        answer = await mesh.call("front", "/ask", headers=headers)
        seen = answer.json()["headers"]
        assert seen["host"] == "back.shop.mesh"
        assert seen["x-request-id"] == "request-4711"
        assert seen["traceparent"].split("-")[1] == trace.split("-")[1]
        assert 2000 < int(seen["meshway-deadline"]) < 4000
        posted = await mesh.call("back.shop.mesh", "/seen", method="POST", content=b"text")
        assert posted.json()["body"] == "text"
    await mesh.close()


async def test_a_service_that_left_is_no_endpoint_and_one_that_never_was_no_route(settings: MeshSettings) -> None:
    mesh = AsyncMesh(settings)
    async with Shop(settings):
        await _is_callable(mesh, "back", "/seen")
    gone = await mesh.call("back", "/seen")
    assert (gone.status_code, gone.headers["meshway-reason"]) == (503, "no_endpoint")
    never = await mesh.call("nobody", "/")
    assert (never.status_code, never.headers["meshway-reason"]) == (404, "no_route")
    await mesh.close()


def test_a_blocking_program_calls_by_name_too(settings: MeshSettings, tmp_path: Path) -> None:
    from tests.parts.sdk_services import start_service

    process, _ = start_service(tmp_path, settings.registry, "script")
    try:
        with httpx.Client(transport=Mesh(settings).transport()) as client:
            wait_until(lambda: client.get("http://hello.default.mesh/").text == "hello", 15)
    finally:
        process.stop(15)


async def _is_callable(mesh: AsyncMesh, service: str, path: str) -> None:
    async with asyncio.timeout(15):
        while (await mesh.call(service, path)).status_code != 200:
            await asyncio.sleep(0.05)

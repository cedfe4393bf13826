"""`call` without a word about where the gateway listens: the registry knows it from the gateway's own reports."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.parts.command import Ended, meshway
from tests.parts.conditions import wait_until
from tests.parts.plain_service import PlainService
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import is_taken


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Of its own, since a gateway follows it."""
    running = Registry(tmp_path_factory.mktemp("registry"))
    yield running
    running.close()


def run(registry: Registry, folder: Path, *arguments: str) -> Ended:
    return meshway(*arguments, env={"MESHWAY_URL": registry.url}, cwd=folder)


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
async def test_a_gateway_is_found_by_what_it_reported(registry: Registry, tmp_path: Path, bind: str) -> None:
    gateway = Gateway(tmp_path, registry.url, 1, "--bind", bind, "--insecure", "--node", bind, "--zone", "b")
    edge, mesh = (f"http://127.0.0.1:{port}" for port in (gateway.edge_port, gateway.mesh_port))

    def reported() -> bool:
        found = registry.client.get(f"/v1/gateways/{bind}").json()
        return bool((found.get("edge"), found.get("mesh")) == (edge, mesh))

    try:
        # At once, and not only when the next report is due.
        await asyncio.to_thread(wait_until, reported, 10)
        wide = await asyncio.to_thread(run, registry, tmp_path, "get", "gateways", "-o", "wide")
        assert wide.out.splitlines()[0].split()[-3:] == ["ZONE", "EDGE", "MESH"]
        assert ["b", edge, mesh] in [line.split()[-3:] for line in wide.out.splitlines()]
        async with PlainService("books") as service:
            registry.register("books", "b1", service.port)
            wait_until(lambda: gateway.get("books.default.mesh").status_code != 404, 10, what="books is known")
            called = await asyncio.to_thread(run, registry, tmp_path, "call", "books/7")
        assert (called.code, called.out) == (0, "books"), called
    finally:
        gateway.close()


def test_without_a_gateway_that_answers_the_usual_port_is_named(registry: Registry, tmp_path: Path) -> None:
    if is_taken(8581):
        pytest.skip("a mesh of this machine's owner has the usual port")
    gateway = Gateway(tmp_path, registry.url, 1, "--node", "dead")
    wait_until(lambda: registry.client.get("/v1/gateways/dead").status_code == 200, 10)
    gateway.process.kill()
    called = run(registry, tmp_path, "call", "books/7")
    assert called.code == 7
    assert called.err.startswith("error: gateway at http://127.0.0.1:8581 does not answer")
    assert urlsplit(registry.client.get("/v1/gateways/dead").json()["mesh"]).port == gateway.mesh_port

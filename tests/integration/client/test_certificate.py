"""A program that keeps its certificate by the SDK, and signs in by the token beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshway.client import AsyncMesh, Mesh, MeshSettings
from meshway.client.certificate_folder import CertificateFolder
from tests.parts.conditions import until
from tests.parts.planes import Registry


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    running = await asyncio.to_thread(Registry, tmp_path)
    running.client.post("/v1/identity/authority", json={}).raise_for_status()
    yield running
    await asyncio.to_thread(running.close)


async def test_it_is_kept_while_the_block_runs_and_lets_the_service_register_itself(
    registry: Registry, tmp_path: Path
) -> None:
    made = registry.client.post("/v1/identity/enrolments", json={"subject": "shop/books"}).json()
    token_file, folder = tmp_path / "token", tmp_path / "identity"
    token_file.write_text(made["token"])
    settings = MeshSettings(registry=registry.url, namespace="shop", token_file=folder / "service.token")
    mesh = AsyncMesh(settings)
    async with mesh.certificate(folder, token_file=token_file) as kept:
        async with asyncio.timeout(20):
            first = await kept.first()
        assert first.identity.text == "spiffe://mesh.internal/ns/shop/svc/books"
        await until((folder / "service.token").exists, within_s=20.0)
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server, mesh.register("books", server.sockets[0].getsockname()[1]) as me:
            await until(lambda: me.status().state == "passing", within_s=20.0)
            found = registry.client.get("/v1/namespaces/shop/services/books/instances").json()["items"]
            assert len(found) == 1
    token_file.unlink()
    async with mesh.certificate(folder) as kept, asyncio.timeout(20):
        assert await kept.first() == CertificateFolder(folder).read(), "another start needs no token"
    await mesh.close()


async def test_a_program_that_blocks_keeps_one_by_a_thread(registry: Registry, tmp_path: Path) -> None:
    made = registry.client.post("/v1/identity/enrolments", json={"subject": "shop/books"}).json()
    token_file, folder = tmp_path / "token", tmp_path / "identity"
    mesh = Mesh(MeshSettings(registry=registry.url, namespace="shop", token_file=folder / "service.token"))

    def program() -> list[str]:
        with mesh.certificate(folder, token_file=token_file) as kept:
            with pytest.raises(TimeoutError):
                kept.first(0.2)
            assert kept.credential is None
            token_file.write_text(made["token"])
        with mesh.certificate(folder, token_file=token_file) as kept:
            names = [kept.first(20.0).identity.text]
        token_file.unlink()
        with mesh.certificate(folder) as kept:
            names.append(kept.first(20.0).identity.text)
        return names

    before = {thread.name for thread in threading.enumerate()}
    assert await asyncio.to_thread(program) == ["spiffe://mesh.internal/ns/shop/svc/books"] * 2
    assert "meshway certificate" not in {thread.name for thread in threading.enumerate()} - before
    mesh.close()

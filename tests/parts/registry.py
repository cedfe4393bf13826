"""A registry inside the test's loop: the real core on SQLite, the real surfaces, a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.app import follow_trust
from registry.core import Core
from registry.encryption import Encryption
from registry.gateways import Gateways
from registry.machine.protocol import RegistryConnection
from registry.machine.surface import Surface
from registry.running import open_core
from registry.settings import RegistrySettings
from registry.surfaces import make_surface
from tests.parts.fresh_store import put_fresh_store
from tests.parts.registry_wire import Answer, RawClient


@dataclass
class RunningRegistry:
    """call: one request on a connection of its own."""

    core: Core
    gateways: Gateways
    surface: Surface
    port: int
    died: list[bool] = field(default_factory=list)

    async def call(self, method: str, path: str, body: object = None, *lines: str) -> Answer:
        async with RawClient(self.port) as client:
            return await client.call(method, path, body, *lines)

    async def register(self, service: str, instance: str, port: int = 9000, **fields: Any) -> Answer:
        path = f"/v1/namespaces/default/services/{service}/instances/{instance}"
        answer = await self.call("PUT", path, {"port": port, **fields})
        assert answer.status in (200, 201), answer
        return answer


@asynccontextmanager
async def running_registry(
    folder: Path, encryption: Encryption | None = None, /, **settings: Any
) -> AsyncIterator[RunningRegistry]:
    """encryption: None: it speaks without TLS.

    settings: of RegistrySettings; unless told, callers on this machine are trusted, as by `meshway up`.

    Ports and folders are the test's own; everything is closed when it ends.
    """
    gateways = Gateways(time.monotonic)
    died: list[bool] = []
    if "database_url" not in settings:
        put_fresh_store(folder)
    async with open_core(
        RegistrySettings(data_dir=folder, **({"trusts_loopback": True, "port": 0} | settings)),
        live_gateways=gateways.live_count,
        behind=gateways.pending,
        die=lambda: died.append(True),
    ) as core:
        surface = make_surface(core, gateways)
        loop = asyncio.get_running_loop()
        tls = None if encryption is None else encryption.context
        server = await loop.create_server(
            lambda: RegistryConnection(surface, loop), "127.0.0.1", core.settings.port, ssl=tls
        )
        if encryption is not None:
            follow_trust(core.view, encryption, surface)
        port = server.sockets[0].getsockname()[1]
        core.targets.own_ports.add(port)
        try:
            yield RunningRegistry(core, gateways, surface, port, died)
        finally:
            server.close()
            for connection in list(surface.connections):
                connection.shutdown()
            async with asyncio.timeout(5):
                while surface.connections:
                    await asyncio.sleep(0.005)
            assert not died, "the committer died"

"""The SDK for programs with an event loop: the names of Mesh, awaitable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import httpx
import msgspec

from meshway.client import calls
from meshway.client.calls import Applied, FoundInstance
from meshway.client.lifespan import Lifespan, lifespan
from meshway.client.log_handler import MeshLogHandler
from meshway.client.presence import Present, present
from meshway.client.propagation import MeshMiddleware
from meshway.client.registration import Details, describe
from meshway.client.registry import AsyncRegistry
from meshway.client.settings import MeshSettings
from meshway.client.transport import AsyncMeshTransport
from meshway.client.watching import Position, WatchEvent, afollow
from meshway.settings import read_secret
from meshway.tasks import spawn

if TYPE_CHECKING:
    from meshway.client.certificate import CertificateKeeper


class AsyncMesh:
    """Belongs to one event loop. Makes no connection until it is used."""

    middleware = MeshMiddleware

    def __init__(self, settings: MeshSettings | None = None) -> None:
        self.settings = settings or MeshSettings()

    @classmethod
    def from_env(cls) -> AsyncMesh:
        """See Mesh.from_env."""
        return cls(MeshSettings.from_env())

    def register(
        self, service: str | None, port: int, **details: Unpack[Details]
    ) -> AbstractAsyncContextManager[Present]:
        """`async with mesh.register("batch", 9100) as me:`; see Mesh.register."""
        return present(self.settings, describe(self.settings, service, port, **details))

    def lifespan(
        self,
        service: str | None = None,
        *,
        port: int,
        inner: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
        **details: Unpack[Details],
    ) -> Lifespan:
        """See Mesh.lifespan."""
        return lifespan(self.settings, describe(self.settings, service, port, **details), inner)

    @asynccontextmanager
    async def certificate(
        self, folder: Path | str, *, token_file: Path | str | None = None, keeps_token: bool = True
    ) -> AsyncIterator[CertificateKeeper]:
        """`async with mesh.certificate(DIR, token_file=F) as kept: tls = (await kept.first())`: keeps a certificate in
        DIR as long as the block runs, renewed at half its life.

        token_file: of a one-time token, which is needed where DIR holds no certificate. keeps_token: `service.token`
        lies there, too.
        """
        from meshway.client.certificate import CertificateKeeper
        from meshway.client.certificate_folder import CertificateFolder

        # What it asks proves itself by its body; a token that is over would only be in the way.
        registry = AsyncRegistry(msgspec.structs.replace(self.settings, token_file=None))
        token = (lambda: "") if token_file is None else partial(read_secret, Path(token_file))
        keeper = CertificateKeeper(registry, CertificateFolder(Path(folder)), token=token, keeps_token=keeps_token)
        keeping = spawn(keeper.run(), name="certificate")
        try:
            yield keeper
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            await registry.close()

    def log_handler(
        self, service: str | None = None, *, port: int | None = None, version: str = "", level: int = logging.NOTSET
    ) -> MeshLogHandler:
        """See Mesh.log_handler; a thread sends, the loop waits for nothing."""
        return MeshLogHandler(self.settings, service, port=port, version=version, level=level)

    def transport(self) -> AsyncMeshTransport:
        """`httpx.AsyncClient(transport=mesh.transport())` reaches `http://reviews/`."""
        return AsyncMeshTransport(self.settings)

    async_transport = transport

    async def call(self, service: str, path: str = "/", *, method: str = "GET", **request: Any) -> httpx.Response:
        """See Mesh.call."""
        return await self._calls.request(method, f"http://{service}{path}", **request)

    async def discover(
        self,
        service: str,
        *,
        namespace: str | None = None,
        version: str | None = None,
        zone: str | None = None,
        tag: str | None = None,
        status: str | None = "passing",
    ) -> list[FoundInstance]:
        """See Mesh.discover."""
        found: list[FoundInstance] = []
        cursor: str | None = None
        while True:
            page = await self._registry.send(
                calls.instances(
                    namespace or self.settings.namespace, service,
                    version=version, zone=zone, tag=tag, status=status, cursor=cursor,
                )
            )  # fmt: skip
            found += page.items
            if (cursor := page.next) is None:
                return found

    def watch(
        self,
        *,
        kind: str | None = None,
        namespace: str | None = None,
        service: str | None = None,
        since: int | None = None,
    ) -> AsyncIterator[WatchEvent]:
        """See Mesh.watch."""
        return afollow(self.settings, Position(kind, namespace, service, since, len(self.settings.registries)))

    async def apply(self, *paths: Path | str, dry_run: bool = False, namespace: str | None = None) -> Applied:
        """See Mesh.apply."""
        files = [Path(path) for path in paths]
        return await self._registry.send(
            calls.apply(files, dry_run=dry_run, namespace=namespace or self.settings.namespace)
        )

    async def close(self) -> None:
        """Closes connections. Registrations end with their `async with` block."""
        await self._registry.close()
        await self._calls.aclose()

    @cached_property
    def _registry(self) -> AsyncRegistry:
        return AsyncRegistry(self.settings)

    @cached_property
    def _calls(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.transport())

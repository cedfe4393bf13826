"""The SDK for programs that block: scripts, WSGI services, and the set-up of ASGI services."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import httpx

from meshway.client import calls
from meshway.client.background import Background, Registered, drain_on_sigterm
from meshway.client.calls import Applied, FoundInstance
from meshway.client.kept_certificate import KeptCertificate, kept_certificate
from meshway.client.lifespan import Lifespan, lifespan
from meshway.client.log_handler import MeshLogHandler
from meshway.client.propagation import MeshMiddleware, MeshWsgi, WsgiApp
from meshway.client.registration import Details, describe
from meshway.client.registry import Registry
from meshway.client.settings import MeshSettings
from meshway.client.transport import AsyncMeshTransport, MeshTransport
from meshway.client.watching import Position, WatchEvent, follow


class Mesh:
    """One program's way into the mesh. Makes no connection until it is used; safe to use from several threads."""

    middleware = MeshMiddleware

    def __init__(self, settings: MeshSettings | None = None) -> None:
        self.settings = settings or MeshSettings()

    @classmethod
    def from_env(cls) -> Mesh:
        """Reads MESHWAY_URL, MESHWAY_GATEWAY and the others of docs/guide/sdk.md. Raises SettingError."""
        return cls(MeshSettings.from_env())

    def register(
        self, service: str | None, port: int, **details: Unpack[Details]
    ) -> AbstractContextManager[Registered]:
        """`with mesh.register("batch", 9100) as me:` registered inside, deregistered after; drains on SIGTERM.

        Waits for nothing: without a registry the program runs on and is registered as soon as there is one. Raises
        ValueError for a name or port that no registry would take.
        """
        return self._background.present(describe(self.settings, service, port, **details))

    def lifespan(
        self,
        service: str | None = None,
        *,
        port: int,
        inner: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
        **details: Unpack[Details],
    ) -> Lifespan:
        """`FastAPI(lifespan=mesh.lifespan("reviews", port=9080))`; inner: the app's own lifespan."""
        return lifespan(self.settings, describe(self.settings, service, port, **details), inner)

    def wsgi(self, app: WsgiApp, service: str | None = None, *, port: int, **details: Unpack[Details]) -> WsgiApp:
        """Registers until the process ends and gives the app back with the middleware around it.

        A server that loads the app once and then forks (gunicorn --preload) is registered by the parent; the children
        join with their first request.
        """
        wanted = describe(self.settings, service, port, **details)
        drain_on_sigterm(self._background.keep(wanted))
        return _JoiningWsgi(MeshWsgi(app), lambda: self._background.keep(wanted))

    def certificate(
        self, folder: Path | str, *, token_file: Path | str | None = None, keeps_token: bool = True
    ) -> AbstractContextManager[KeptCertificate]:
        """`with mesh.certificate(DIR, token_file=F) as kept: tls = kept.first()`: keeps a certificate in DIR as long as
        the block runs, renewed at half its life, by a thread. As AsyncMesh.certificate.
        """
        return kept_certificate(self.settings, folder, token_file, keeps_token=keeps_token)

    def log_handler(
        self, service: str | None = None, *, port: int | None = None, version: str = "", level: int = logging.NOTSET
    ) -> MeshLogHandler:
        """`logging.getLogger().addHandler(mesh.log_handler("reviews"))` ships the program's log to the registry.

        port: of the registered instance, whose lines they are then. Raises ValueError without a service.
        """
        return MeshLogHandler(self.settings, service, port=port, version=version, level=level)

    def transport(self) -> MeshTransport:
        """`httpx.Client(transport=mesh.transport())` reaches `http://reviews/`."""
        return MeshTransport(self.settings)

    def async_transport(self) -> AsyncMeshTransport:
        """`httpx.AsyncClient(transport=mesh.async_transport())` reaches `http://reviews/`."""
        return AsyncMeshTransport(self.settings)

    def call(self, service: str, path: str = "/", *, method: str = "GET", **request: Any) -> httpx.Response:
        """One request through the gateway; request: as of httpx.Client.request (json, params, timeout …)."""
        return self._calls.request(method, f"http://{service}{path}", **request)

    def discover(
        self,
        service: str,
        *,
        namespace: str | None = None,
        version: str | None = None,
        zone: str | None = None,
        tag: str | None = None,
        status: str | None = "passing",
    ) -> list[FoundInstance]:
        """The instances, by default those that may be called. Raises MeshwayError."""
        found: list[FoundInstance] = []
        cursor: str | None = None
        while True:
            page = self._registry.send(
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
    ) -> Iterator[WatchEvent]:
        """All there is, then every change, for ever; connects again by itself and misses nothing."""
        return follow(self.settings, Position(kind, namespace, service, since, len(self.settings.registries)))

    def apply(self, *paths: Path | str, dry_run: bool = False, namespace: str | None = None) -> Applied:
        """Publishes YAML files and folders as one revision, all or nothing. Raises MeshwayError with every error."""
        files = [Path(path) for path in paths]
        return self._registry.send(calls.apply(files, dry_run=dry_run, namespace=namespace or self.settings.namespace))

    def close(self) -> None:
        """Closes connections. Registrations end with their `with` block or the process."""
        self._registry.close()
        self._calls.close()

    @cached_property
    def _registry(self) -> Registry:
        return Registry(self.settings)

    @cached_property
    def _background(self) -> Background:
        return Background(self.settings, self._registry)

    @cached_property
    def _calls(self) -> httpx.Client:
        return httpx.Client(transport=self.transport())


class _JoiningWsgi:
    """Joins the registration once more in a process that was forked off with the app already loaded."""

    def __init__(self, app: WsgiApp, join: Callable[[], Registered]) -> None:
        self._app, self._join = app, join
        self._process = os.getpid()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if os.getpid() != self._process:
            self._process = os.getpid()
            self._join()
        return self._app(environ, start_response)

"""What the four services share: their command line, their way into the mesh, and their health answer."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable

import httpx
import msgspec
import uvicorn
from fastapi import FastAPI

from meshway.client import Mesh, MeshSettings

NAMESPACE = "bookinfo"
# Short, so that a demo shows within seconds what happens when a copy dies.
TTL_S = 10.0


class Copy:
    """One running copy of a service. client: httpx, with calls to service names going through the gateway."""

    def __init__(self, service: str, version: str, port: int) -> None:
        settings = MeshSettings.from_env()
        if "MESHWAY_NAMESPACE" not in os.environ:
            settings = msgspec.structs.replace(settings, namespace=NAMESPACE)
        self.mesh = Mesh(settings)
        self.version = version
        self.name = f"{service}-{version}:{port}"
        self.client = httpx.AsyncClient(transport=self.mesh.async_transport(), timeout=5.0)
        self.app = FastAPI(
            title=service,
            lifespan=self.mesh.lifespan(service, port=port, version=version, ttl_s=TTL_S),
            openapi_url=None,
        )
        self.app.add_middleware(self.mesh.middleware)
        self.app.add_api_route("/health", self.health, methods=["GET"])

    async def health(self) -> dict[str, str]:
        return {"status": "ok", "served_by": self.name}


def serve(service: str, build: Callable[[Copy], None], *, port: int, versions: tuple[str, ...] = ("v1",)) -> None:
    """Reads --port, --host and --version (or SERVICE_VERSION), builds the service and runs it until SIGTERM."""
    parser = argparse.ArgumentParser(description=f"The {service} service of the book shop.")
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--version", choices=versions, default=os.environ.get("SERVICE_VERSION", versions[0]))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format=f"{service} {options.version} %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    copy = Copy(service, options.version, options.port)
    build(copy)
    uvicorn.run(copy.app, host=options.host, port=options.port, log_level="warning", access_log=False)

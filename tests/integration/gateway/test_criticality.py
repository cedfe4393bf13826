"""How much a call matters goes from tier to tier: told to the service, passed on by the SDK, believed if it is less."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.exchange import EDGE, MESH
from meshway.client import AsyncMesh, MeshSettings
from meshway.client.propagation import MeshMiddleware
from tests.parts.changes import document, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.upstream import RecordingUpstream

FIELD = b"meshway-criticality"


@asynccontextmanager
async def tiers(
    face: int, **rules: dict[str, Any]
) -> AsyncIterator[tuple[CompiledGateway, dict[str, RecordingUpstream]]]:
    """Services by name, each with what its rule says."""
    upstreams = {name: RecordingUpstream() for name in rules}
    listener = "mesh" if face == MESH else "edge"
    changes = [
        document("Route", name, {"listeners": [listener], "hosts": [name], "rules": [to(name, **told)]})
        for name, told in rules.items()
    ]
    async with AsyncExitStack() as stack:
        for name, upstream in upstreams.items():
            await stack.enter_async_context(upstream.running())
            changes.append(running(name, "1", port=upstream.port))
        yield await stack.enter_async_context(compiled_gateway(*changes, face=face)), upstreams


@pytest.mark.parametrize(
    ("face", "rule", "sent", "told"),
    [
        (MESH, None, "", []),
        (MESH, None, "sheddable", [b"sheddable"]),
        (MESH, None, "critical", []),
        (MESH, None, "whatever", []),
        (MESH, "sheddable", "", [b"sheddable"]),
        (MESH, "sheddable", "critical", [b"sheddable"]),
        (MESH, "critical", "", [b"critical"]),
        (MESH, "critical", "sheddable", [b"sheddable"]),
        (MESH, "critical", "default", []),
        (EDGE, None, "sheddable", []),
        (EDGE, "sheddable", "critical", [b"sheddable"]),
    ],
)
async def test_a_service_is_told_how_much_its_call_matters(
    face: int, rule: str | None, sent: str, told: list[bytes]
) -> None:
    async with tiers(face, front={"criticality": rule} if rule else {}) as (gateway, services):
        fields = f"meshway-criticality: {sent}\r\n" if sent else ""
        status, _, _ = await gateway.ask(host="front", fields=fields)
        assert status == 200
        (received,) = services["front"].requests
        assert received.values(FIELD) == told


async def test_what_a_call_makes_matters_no_more_than_the_call() -> None:
    async with tiers(MESH, front={"criticality": "sheddable"}, back={}) as (gateway, services):
        await gateway.ask(host="front")
        (received,) = services["front"].requests
        brought = [
            (name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in received.lines)
        ]
        mesh = AsyncMesh(MeshSettings(gateway=f"http://127.0.0.1:{gateway.port}"))

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async with httpx.AsyncClient(transport=mesh.async_transport()) as client:
                assert (await client.get("http://back/")).status_code == 200

        await MeshMiddleware(app)({"type": "http", "headers": brought}, None, None)  # type: ignore[arg-type]
        await mesh.close()
        (further,) = services["back"].requests
        assert further.values(FIELD) == [b"sheddable"]
        assert further.values(b"traceparent")[0].split(b"-")[1] == received.values(b"traceparent")[0].split(b"-")[1]

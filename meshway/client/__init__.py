"""The Python SDK: join the mesh, call by name, discover, watch, apply. Start with `Mesh` or `AsyncMesh`.

Light on purpose: a service that only registers takes on httpx and msgspec, not our server's frameworks. What is named
here is imported when somebody first asks for it: the command and the planes want one module of it, and not asyncio,
certificates and logs behind that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from meshway.client.async_mesh import AsyncMesh
    from meshway.client.calls import Applied, FoundInstance
    from meshway.client.errors import Conflict, MeshwayError, NotAllowed, NotFound, Unreachable
    from meshway.client.mesh import Mesh
    from meshway.client.registration import Status
    from meshway.client.settings import MeshSettings
    from meshway.client.watching import WatchEvent

__all__ = [
    "Applied",
    "AsyncMesh",
    "Conflict",
    "FoundInstance",
    "Mesh",
    "MeshSettings",
    "MeshwayError",
    "NotAllowed",
    "NotFound",
    "Status",
    "Unreachable",
    "WatchEvent",
]
_MODULES: Final = {
    "Applied": "calls",
    "AsyncMesh": "async_mesh",
    "FoundInstance": "calls",
    "Mesh": "mesh",
    "MeshSettings": "settings",
    "Status": "registration",
    "WatchEvent": "watching",
} | dict.fromkeys(("Conflict", "MeshwayError", "NotAllowed", "NotFound", "Unreachable"), "errors")


def __getattr__(name: str) -> Any:
    """Of a module (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found

"""The Python SDK: join the mesh, call by name, discover, watch, apply. Start with `Mesh` or `AsyncMesh`.

Light on purpose: a service that only registers takes on httpx and msgspec, not our server's frameworks.
"""

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

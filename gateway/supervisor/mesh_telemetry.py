"""How often this host reports what its workers counted, and how many series of it, as MeshSettings say."""

from collections.abc import Mapping

from gateway.compiler.diff import read_changes
from gateway.feed.state import Key
from meshway.model import mesh_settings
from meshway.model.document import MESH_NAMESPACE
from meshway.model.mesh_settings import MeshSettings, MeshTelemetry
from meshway.snapshot import Change


def mesh_telemetry(entries: Mapping[Key, Change]) -> MeshTelemetry:
    """entries: what is held now."""
    key = (MeshSettings.__name__, MESH_NAMESPACE, mesh_settings.NAME)
    change = entries.get(key)
    entry = None if change is None else read_changes([change]).documents.get(key)
    telemetry = None if entry is None else entry.spec.telemetry
    return telemetry or MeshTelemetry()

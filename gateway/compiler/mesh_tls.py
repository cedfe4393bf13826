"""Which namespaces are strict: by their own Namespace's word, else by that of MeshSettings."""

from collections.abc import Mapping
from typing import Final

from meshway.model import mesh_settings
from meshway.model.document import MESH_NAMESPACE
from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace

KINDS: Final = ("MeshSettings", "Namespace")


class MeshTls:
    def __init__(self, mesh: MeshSettings, namespaces: Mapping[str, Namespace]) -> None:
        """namespaces: those that have a document, by name."""
        self._mesh = mesh
        self._namespaces = namespaces

    def said_by(self, namespace: str) -> str | None:
        """The document by whose word it is strict, `Namespace mesh/shop`; None: it is not."""
        document, says = f"Namespace {MESH_NAMESPACE}/{namespace}", None
        if (own := self._namespaces.get(namespace)) is not None:
            says = own.mtls
        if says is None:
            document, says = f"MeshSettings {MESH_NAMESPACE}/{mesh_settings.NAME}", self._mesh.mtls
        return document if says == "strict" else None

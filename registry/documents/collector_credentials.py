"""What a collector that a document of namespace `mesh` names wants to see of the registry: from its Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshway.model.document import MESH_NAMESPACE
from meshway.model.secret import Secret, secret_ref
from meshway.outbound.collector import Credentials, header_fields
from meshway.sealing import SealBroken
from registry.documents.sealed import opened

if TYPE_CHECKING:
    from meshway.model.otlp import Otlp
    from meshway.model.secret import SecretRef
    from meshway.sealing import Sealing
    from registry.view.view import View


def collector_credentials(otlp: Otlp, view: View, sealing: Sealing | None) -> Credentials:
    """Without a Secret that is named nothing is sent: the collector would refuse it, or be none that is meant."""
    fields, ca = b"", None
    if otlp.headers is not None:
        wanted = secret_ref(otlp.headers)
        data = _data(wanted, "opaque", view, sealing)
        if data is None:
            return Credentials(missing=f"the Secret {wanted.secret} of its headers cannot be read")
        named = data if wanted.key is None else {wanted.key: data.get(wanted.key, "")}
        fields = header_fields(named)
    if otlp.ca is not None:
        wanted = secret_ref(otlp.ca)
        ca = _data(wanted, "ca_bundle", view, sealing)
        if ca is None:
            return Credentials(missing=f"the Secret {wanted.secret} of its authorities cannot be read")
    return Credentials(fields, ca)


def _data(wanted: SecretRef, kind: str, view: View, sealing: Sealing | None) -> Any:
    """None: it is not there, of another type, or cannot be opened."""
    row = view.document((Secret.__name__, MESH_NAMESPACE, wanted.secret))
    if row is None or sealing is None or not isinstance(row.spec, Secret) or row.spec.type != kind:
        return None
    try:
        versions = opened(row, sealing)
    except SealBroken:
        return None
    return versions[0].data if versions else None

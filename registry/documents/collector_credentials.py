"""What a collector that a document of namespace `mesh` names wants to see of the registry: from its Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.model.document import MESH_NAMESPACE
from meshway.outbound.collector import Credentials, header_fields
from registry.documents.secret_texts import SecretAway

if TYPE_CHECKING:
    from meshway.model.otlp import Otlp
    from registry.documents.secret_texts import SecretTexts


def collector_credentials(otlp: Otlp, secrets: SecretTexts) -> Credentials:
    """Without a Secret that is named nothing is sent: the collector would refuse it, or be none that is meant."""
    try:
        fields = b"" if otlp.headers is None else header_fields(secrets.named(otlp.headers, MESH_NAMESPACE))
        return Credentials(fields, None if otlp.ca is None else secrets.authorities(otlp.ca, MESH_NAMESPACE))
    except SecretAway as away:
        return Credentials(missing=str(away))

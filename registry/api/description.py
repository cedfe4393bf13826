"""What the API's own routes are, for its description."""

from __future__ import annotations

from typing import Any, Final

from registry.api import about, backup, gateways, health, metrics, namespaces
from registry.api.alerts_description import alert_operations, receiver_operations
from registry.api.calls_description import call_operations
from registry.api.changes_description import changes_operations
from registry.api.documents_description import document_operations
from registry.api.identity_description import identity_operations
from registry.api.insight_description import insight_operations
from registry.api.parameters import PROBLEM
from registry.api.people_description import people_operations
from registry.api.revisions_description import revision_operations
from registry.api.rights_description import audit_operations, token_operations
from registry.api.rollouts_description import rollout_operations
from registry.api.single_sign_on_description import single_sign_on_operations
from registry.gateways import GatewayState
from registry.manners.openapi import Operation

_TEXT: Final = {"type": "string"}
_STATE: Final = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": _TEXT, "missing": {"type": "array"}, "reason": _TEXT},
}


def api_operations() -> list[Operation]:
    return [
        *document_operations(),
        *changes_operations(),
        *call_operations(),
        *receiver_operations(),
        *revision_operations(),
        *rollout_operations(),
        *identity_operations(),
        *insight_operations(),
        *alert_operations(),
        *token_operations(),
        *single_sign_on_operations(),
        *people_operations(),
        *audit_operations(),
        *_rest(),
    ]


def _rest() -> list[Operation]:
    return [
        _get(
            "listGateways",
            gateways.MANY,
            "gateways",
            "Every gateway with what it runs and refused.",
            right="gateways:read",
            answers={200: gateways.GatewayPage},
        ),
        _get(
            "getGateway",
            gateways.ONE,
            "gateways",
            "One gateway.",
            right="gateways:read",
            answers={200: GatewayState, 404: PROBLEM},
            example={"node": "gateway-1"},
        ),
        _get(
            "listNamespaces",
            namespaces.PATH,
            "discovery",
            "The namespaces.",
            right="documents:read",
            by_rows=True,
            answers={200: namespaces.NamespacePage},
        ),
        _get("live", health.LIVE, "health", "Whether the process lives.", right="open", answers={200: _STATE}),
        _get(
            "ready",
            health.READY,
            "health",
            "Whether it can serve, and without which part.",
            right="open",
            answers={200: _STATE, 503: _STATE},
        ),
        _get(
            "metrics",
            metrics.PATH,
            "health",
            "Prometheus text.",
            right="metrics:read",
            answers={200: _TEXT},
            produces="text/plain",
        ),
        _get(
            "getAbout",
            about.PATH,
            "health",
            "Which Meshway this is, and how it runs.",
            right="signed_in",
            answers={200: about.About},
        ),
        _get(
            "backup",
            backup.PATH,
            "revisions",
            "Everything that is durable as one file, consistent at the revision that Meshway-Revision names.",
            right="backup:read",
            detail="Not encrypted, and it holds the ids of leases: keep it as you keep the database. "
            "`meshway restore` puts it into a store.",
            answers={200: {"type": "string", "format": "binary"}},
            produces=backup.CONTENT_TYPE,
        ),
    ]


def _get(name: str, path: str, tag: str, told: str, **more: Any) -> Operation:
    return Operation(method="GET", path=path, id=name, tag=tag, about=told, **more)

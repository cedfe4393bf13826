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
    state = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": _TEXT, "missing": {"type": "array"}, "reason": _TEXT},
    }
    rows: list[tuple[str, str, str, str, Any, bool, dict[int, Any]]] = [
        (
            gateways.MANY,
            "listGateways",
            "gateways",
            "Every gateway with what it runs and refused.",
            "gateways:read",
            False,
            {200: gateways.GatewayPage},
        ),
        (
            gateways.ONE,
            "getGateway",
            "gateways",
            "One gateway.",
            "gateways:read",
            False,
            {200: GatewayState, 404: PROBLEM},
        ),
        (
            namespaces.PATH,
            "listNamespaces",
            "discovery",
            "The namespaces.",
            "documents:read",
            True,
            {200: namespaces.NamespacePage},
        ),
        (health.LIVE, "live", "health", "Whether the process lives.", "open", False, {200: state}),
        (
            health.READY,
            "ready",
            "health",
            "Whether it can serve, and without which part.",
            "open",
            False,
            {200: state, 503: state},
        ),
    ]
    plain = [
        Operation(
            method="GET",
            path=path,
            id=name,
            tag=tag,
            about=about,
            right=right,
            by_rows=by_rows,
            answers=answers,
            example={"node": "gateway-1"},
        )
        for path, name, tag, about, right, by_rows, answers in rows
    ]
    return [
        *plain,
        Operation(
            method="GET",
            path=metrics.PATH,
            id="metrics",
            tag="health",
            right="metrics:read",
            about="Prometheus text.",
            answers={200: _TEXT},
            produces="text/plain",
        ),
        Operation(
            method="GET",
            path=about.PATH,
            id="getAbout",
            tag="health",
            right="signed_in",
            about="Which Meshway this is, and how it runs.",
            answers={200: about.About},
        ),
        Operation(
            method="GET",
            path=backup.PATH,
            id="backup",
            tag="revisions",
            right="backup:read",
            about="Everything that is durable as one file, consistent at the revision that Meshway-Revision names.",
            detail="Not encrypted, and it holds the ids of leases: keep it as you keep the database. "
            "`meshway restore` puts it into a store.",
            answers={200: {"type": "string", "format": "binary"}},
            produces=backup.CONTENT_TYPE,
        ),
    ]

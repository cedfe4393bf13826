"""The FastAPI application: all routes that are not the machine side's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Response

from registry.api.about import about_router
from registry.api.alerts import alerts_router
from registry.api.apply import apply_router
from registry.api.audit import audit_router
from registry.api.backup import backup_router
from registry.api.breakers import breakers_router
from registry.api.changes import changes_router
from registry.api.documents import documents_router
from registry.api.explain import explain_router
from registry.api.gateways import gateways_router
from registry.api.health import health_router
from registry.api.identity import identity_router
from registry.api.insight import insight_router
from registry.api.metrics import metrics_router
from registry.api.namespaces import namespaces_router
from registry.api.problems import handle_problems
from registry.api.purging import purging_router
from registry.api.receivers import receivers_router
from registry.api.requests import requests_router
from registry.api.revisions import revisions_router
from registry.api.rollouts import rollouts_router
from registry.api.sessions import sessions_router
from registry.api.silences import silences_router
from registry.api.single_sign_on import single_sign_on_router
from registry.api.tokens import tokens_router
from registry.api.traffic import traffic_router
from registry.api.users import users_router
from registry.manners.openapi import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.core import Core
    from registry.gateways import Gateways
    from registry.insight.asking import Asking
    from registry.manners.places import Caps

OPENAPI: Final = "/openapi.json"
# Not described: it is the description.
OPENAPI_ROW: Final = Operation(
    method="GET", path=OPENAPI, id="openapi", tag="", about="", right="signed_in", answers={200: None}
)


def make_api(
    core: Core,
    gateways: Gateways,
    asking: Asking,
    *,
    methods_at: Callable[[str], set[str]],
    description: bytes,
    version: str,
    caps: Caps,
) -> FastAPI:
    """methods_at: what all routes serve at a path. description: of all routes, as JSON."""
    # FastAPI's own description would leave out the machine routes, and its /docs page loads scripts from elsewhere.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)

    @app.get(OPENAPI)
    async def openapi() -> Response:
        return Response(description, media_type="application/json")

    for router in (
        apply_router(core, gateways, asking),
        changes_router(core, gateways, asking),
        explain_router(core),
        breakers_router(core, gateways),
        purging_router(core, gateways),
        receivers_router(core),
        traffic_router(core, gateways),
        requests_router(core),
        revisions_router(core),
        rollouts_router(core),
        gateways_router(gateways),
        health_router(core),
        metrics_router(core, gateways, caps),
        namespaces_router(core),
        identity_router(core),
        insight_router(asking),
        alerts_router(core.watching.alerts),
        silences_router(core.watching.alerts.silences),
        tokens_router(core),
        single_sign_on_router(core),
        sessions_router(core),
        users_router(core),
        audit_router(core),
        about_router(core, version),
        backup_router(core, version, time.time),
        documents_router(core, gateways),
    ):
        app.include_router(router)
    handle_problems(app, methods_at)
    return app

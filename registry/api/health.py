"""Whether the process lives, and whether it can serve; which part is missing when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Response

from registry.api.answers import answer

if TYPE_CHECKING:
    from registry.core import Core

LIVE: Final = "/v1/health/live"
READY: Final = "/v1/health/ready"


def health_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.get(LIVE)
    async def live() -> Response:
        return answer({"status": "live"})

    @router.get(READY)
    async def ready() -> Response:
        missing, degraded = core.missing(), core.degraded()
        live = {"missing": ["live"], "reason": degraded} if degraded else {"missing": []}
        if missing:
            return answer({"status": "not_ready", **live, "missing": [missing, *live["missing"]]}, 503)
        # Without Redis it serves, and nothing is lost: a balancer that took it away would take all registries away.
        return answer({"status": "degraded" if degraded else "ready", **live})

    return router

"""Whether the process lives, whether it can serve, and which part it has to do without."""

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
        if core.is_stopping:
            return answer({"status": "stopping", "missing": []}, 503)
        missing = core.missing()
        if not missing:
            return answer({"status": "ready", "missing": []})
        # Reads, watches and heartbeats go on without; and what one registry misses, all of them mostly miss: a balancer
        # that took them away for it would leave nobody to answer.
        return answer({"status": "degraded", "missing": list(missing), "reason": "; ".join(missing.values())})

    return router

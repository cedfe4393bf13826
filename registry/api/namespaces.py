"""The namespaces that exist: `default` from the start, others by first use."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response

from registry.api.answers import answer, caller_of
from registry.manners.query import query_of

if TYPE_CHECKING:
    from registry.core import Core

PATH: Final = "/v1/namespaces"


def namespaces_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.get(PATH)
    async def many(request: Request) -> Response:
        """self_preservation: where expiry pauses: the zone (null: all that are not held themselves), for how long, and
        how many leases are overdue."""
        query_of(request.url.query, frozenset())
        now, held = core.live.now(), defaultdict[str, list[dict[str, object]]](list)
        for hold in core.leases.holds:
            paused: dict[str, object] = {
                "zone": hold.zone,
                "since_s": round(now - hold.since_s, 1),
                "overdue": hold.overdue,
            }
            held[hold.namespace].append(paused)
        readable = caller_of(request).namespaces("documents:read")
        names = sorted(name for name in core.view.namespaces if readable is None or name in readable)
        return answer({"items": [{"name": name, "self_preservation": held[name]} for name in names]})

    return router

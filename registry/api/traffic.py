"""GET …/routes/{name}/traffic: what gateways recorded of a Route's calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.problem import Problem
from meshway.traffic import TRAFFIC, Traffic, summed
from registry.api.answers import answer
from registry.api.rehearse import span_of
from registry.documents.document_key import Key
from registry.manners.query import query_of

if TYPE_CHECKING:
    from registry.core import Core
    from registry.gateways import Gateways

PATH: Final = "/v1/namespaces/{namespace}/routes/{name}/traffic"
WAIT_S: Final = 10.0


def traffic_router(core: Core, gateways: Gateways) -> APIRouter:
    router = APIRouter()

    @router.get(PATH)
    async def traffic(namespace: str, name: str, request: Request) -> Response:
        """Of all gateways, for the time `last` (1h)."""
        query = query_of(request.url.query, frozenset({"last"}))
        core.documents.get(Key("Route", namespace, name))
        body = {"route": f"{namespace}/{name}", "last_s": span_of(query.get("last", "1h"), "query.last")}
        told = await core.questions.ask_all(TRAFFIC, body, count=gateways.live_count(), wait_s=WAIT_S)
        traffic = summed(msgspec.convert(told, list[Traffic]))
        if traffic.error:
            raise Problem(503, "no_answer", "No answer", detail=traffic.error)
        return answer(traffic)

    return router

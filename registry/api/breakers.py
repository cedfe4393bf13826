"""POST …/breakers/reset: all gateways close the breakers of a service, which begin to count anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.breakers import BREAKER_RESET, BreakersReset
from meshway.problem import not_found
from registry.api.answers import answer
from registry.manners.query import query_of, refuse_bad_names

if TYPE_CHECKING:
    from registry.core import Core
    from registry.gateways import Gateways

PATH: Final = "/v1/namespaces/{namespace}/services/{service}/breakers/reset"
WAIT_S: Final = 5.0


def breakers_router(core: Core, gateways: Gateways) -> APIRouter:
    router = APIRouter()

    @router.post(PATH)
    async def reset(namespace: str, service: str, request: Request) -> Response:
        """Also those of its subsets and ports, and half-open ones. Answers what each gateway did."""
        query_of(request.url.query, frozenset())
        refuse_bad_names(namespace=namespace, service=service)
        if (namespace, service) not in core.view.service_keys(namespace):
            raise not_found(f"service {namespace}/{service}")
        body = {"service": f"{namespace}/{service}"}
        told = await core.questions.ask_all(BREAKER_RESET, body, count=gateways.live_count(), wait_s=WAIT_S)
        return answer({"gateways": sorted(msgspec.convert(told, list[BreakersReset]), key=lambda each: each.gateway)})

    return router

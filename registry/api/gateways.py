"""The gateways and what each of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.problem import not_found
from registry.api.answers import answer
from registry.gateways import GatewayState
from registry.manners.query import query_of

if TYPE_CHECKING:
    from registry.gateways import Gateways

MANY: Final = "/v1/gateways"
ONE: Final = "/v1/gateways/{node}"


class GatewayPage(msgspec.Struct, frozen=True):
    items: list[GatewayState]


def gateways_router(gateways: Gateways) -> APIRouter:
    router = APIRouter()

    @router.get(MANY)
    async def many(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(GatewayPage(gateways.states()))

    @router.get(ONE)
    async def one(node: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        state = gateways.state(node)
        if state is None:
            raise not_found(
                f"gateway {node}", "it has not reported since this registry began; GET /v1/gateways lists all"
            )
        return answer(state)

    return router

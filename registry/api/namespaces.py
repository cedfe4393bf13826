"""The namespaces that exist: `default` from the start, others by first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response

from registry.api.answers import answer
from registry.manners.query import query_of

if TYPE_CHECKING:
    from registry.core import Core

PATH: Final = "/v1/namespaces"


def namespaces_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.get(PATH)
    async def many(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer({"items": [{"name": name} for name in sorted(core.view.namespaces)]})

    return router

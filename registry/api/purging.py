"""POST …/cache/purge: all gateways forget answers that they have kept for a Route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.problem import FieldError, invalid_request
from meshway.purge import PURGE, Purge, Purged
from registry.api.answers import answer
from registry.documents.document_key import Key
from registry.manners.query import query_of, refuse_bad_names

if TYPE_CHECKING:
    from registry.core import Core
    from registry.gateways import Gateways

PATH: Final = "/v1/namespaces/{namespace}/routes/{name}/cache/purge"
WAIT_S: Final = 5.0


def purging_router(core: Core, gateways: Gateways) -> APIRouter:
    router = APIRouter()

    @router.post(PATH)
    async def purge(namespace: str, name: str, request: Request) -> Response:
        """All of them, or those of one rule, host or beginning of a path. Answers what each gateway did."""
        asked = query_of(request.url.query, frozenset({"rule", "host", "path"}))
        refuse_bad_names(namespace=namespace, name=name)
        path = asked.get("path", "")
        if path and not path.startswith("/"):
            message = f'query.path: "{path[:100]}" does not begin with "/"'
            raise invalid_request(message, (FieldError(path="query.path", code="out_of_bounds", message=message),))
        core.documents.get(Key("Route", namespace, name))
        body = msgspec.to_builtins(
            Purge(route=f"{namespace}/{name}", rule=asked.get("rule", ""), host=asked.get("host", ""), path=path)
        )
        told = await core.questions.ask_all(PURGE, body, count=gateways.live_count(), wait_s=WAIT_S)
        return answer({"gateways": sorted(msgspec.convert(told, list[Purged]), key=lambda each: each.gateway)})

    return router

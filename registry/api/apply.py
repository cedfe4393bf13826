"""POST /v1/apply: many documents as one revision, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response

from meshway.problem import FieldError, invalid_request
from registry.api.answers import answer, caller, once
from registry.api.written import read_apply
from registry.manners.query import flag_of, query_of

if TYPE_CHECKING:
    from registry.core import Core

PATH: Final = "/v1/apply"
_KNOWN: Final = frozenset({"dry_run", "namespace", "rehearse"})


def apply_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.post(PATH)
    async def apply(request: Request) -> Response:
        """No revision is taken when nothing changes; dry_run takes none ever."""
        query = query_of(request.url.query, _KNOWN)
        if "rehearse" in query:
            message = "query.rehearse: is not built yet; leave it out"
            raise invalid_request(message, (FieldError(path="query.rehearse", code="unsupported", message=message),))
        dry_run = flag_of(query, "dry_run")
        wanted = await read_apply(request, query.get("namespace", "default"))
        applied = await core.documents.apply(
            wanted.documents,
            wanted.delete,
            by=caller(request),
            guards=wanted.if_match,
            dry_run=dry_run,
            once=None if dry_run else once(request, await request.body()),
        )
        return answer(applied, revision=applied.revision)

    return router

"""POST /v1/apply: many documents as one revision, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.formats.surroundings import Options
from meshway.problem import FieldError, Problem, invalid_request
from registry.api.answers import answer, caller, once
from registry.api.written import read_apply
from registry.documents.applying import Key
from registry.manners.query import flag_of, query_of

if TYPE_CHECKING:
    from registry.core import Core

PATH: Final = "/v1/apply"
_KNOWN: Final = frozenset({"dry_run", "namespace", "rehearse", "allow_partial", "istio_retries"})


def apply_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.post(PATH)
    async def apply(request: Request) -> Response:
        """No revision is taken when nothing changes; dry_run takes none ever.

        Documents of Istio, Gateway API and Kubernetes are converted: allow_partial leaves out what cannot be honoured,
        istio_retries repeats every method.
        """
        query = query_of(request.url.query, _KNOWN)
        if "rehearse" in query:
            message = "query.rehearse: is not built yet; leave it out"
            raise invalid_request(message, (FieldError(path="query.rehearse", code="unsupported", message=message),))
        dry_run = flag_of(query, "dry_run")
        options = Options(partial=flag_of(query, "allow_partial"), istio_retries=flag_of(query, "istio_retries"))
        wanted = await read_apply(request, query.get("namespace", "default"), options)
        applied = await core.documents.apply(
            wanted.documents(existing),
            wanted.delete,
            by=caller(request),
            guards=wanted.if_match,
            dry_run=dry_run,
            once=None if dry_run else once(request, await request.body()),
        )
        applied = msgspec.structs.replace(applied, warnings=[*wanted.warnings, *applied.warnings])
        return answer(applied, revision=applied.revision)

    def existing(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            document = core.documents.get(Key(kind, namespace, name))
        except Problem:
            return None
        found: dict[str, Any] = msgspec.to_builtins(document)
        return found

    return router

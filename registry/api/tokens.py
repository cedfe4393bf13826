"""Tokens: made and told once, listed without themselves, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.model.document import Label
from registry.api.answers import answer, caller_of
from registry.manners.json_text import decoder_of
from registry.manners.query import query_of
from registry.rights.token import Grant, Scope
from registry.rights.tokens import Token

if TYPE_CHECKING:
    from registry.core import Core

MANY: Final = "/v1/tokens"
ONE: Final = "/v1/tokens/{token}"
MAX_S: Final = 10 * 366 * 86_400.0
DEFAULT_S: Final = 90 * 86_400.0
_SERVICE: Final = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$(?!\n)"


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """grants: roles, each in a namespace or in all (`*`). service: `namespace/name`, whose instances it registers."""

    name: Label
    grants: Annotated[tuple[Grant, ...], Meta(max_length=64)] = ()
    service: Annotated[str, Meta(pattern=_SERVICE)] = ""
    expires_in_s: Annotated[float, Meta(gt=0, le=MAX_S)] = DEFAULT_S


class TokenPage(msgspec.Struct, frozen=True):
    items: list[Token]


_decode: Final = decoder_of(TokenRequest, "")


def tokens_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.post(MANY)
    async def create(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode(await request.body())
        scope = Scope(wanted.grants, wanted.service)
        made = await core.callers.tokens.create(
            caller_of(request), wanted.name, scope, expires_in_s=wanted.expires_in_s
        )
        return answer(made, 201, headers={"location": f"{MANY}/{made.id}", "cache-control": "no-store"})

    @router.get(MANY)
    async def many(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(TokenPage(core.callers.tokens.list(caller_of(request))))

    @router.delete(ONE)
    async def revoke(token: str, request: Request) -> Response:
        """From then on it is refused here, and within seconds by all registries that share the store."""
        query_of(request.url.query, frozenset())
        await core.callers.tokens.revoke(caller_of(request), token)
        return Response(status_code=204)

    return router

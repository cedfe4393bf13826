"""The namespaces that exist: `default` from the start, others by first use."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from registry.api.answers import answer, caller_of
from registry.manners.query import query_of

if TYPE_CHECKING:
    from registry.core import Core

PATH: Final = "/v1/namespaces"


class Paused(msgspec.Struct, frozen=True):
    """Expiry pauses in a zone (None: in all that are not held themselves). overdue: how many leases."""

    zone: str | None
    since_s: float
    overdue: int


class ListedNamespace(msgspec.Struct, frozen=True):
    name: str
    self_preservation: list[Paused]


class NamespacePage(msgspec.Struct, frozen=True):
    items: list[ListedNamespace]


def namespaces_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.get(PATH)
    async def many(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        now, held = core.live.now(), defaultdict[str, list[Paused]](list)
        for hold in core.leases.holds:
            held[hold.namespace].append(Paused(hold.zone, round(now - hold.since_s, 1), hold.overdue))
        readable = caller_of(request).namespaces("documents:read")
        names = sorted(name for name in core.view.namespaces if readable is None or name in readable)
        return answer(NamespacePage([ListedNamespace(name, held[name]) for name in names]))

    return router

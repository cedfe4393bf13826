"""GET /v1/backup: everything that is durable as one file, consistent at one revision, while the registry goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from registry.backup.taking import held_by_view, take_backup
from registry.manners.query import query_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from registry.core import Core

PATH: Final = "/v1/backup"
CONTENT_TYPE: Final = "application/gzip"


def backup_router(core: Core, version: str, wall: Callable[[], float]) -> APIRouter:
    router = APIRouter()

    @router.get(PATH)
    async def backup(request: Request) -> Response:
        """An error while it runs cuts the answer off, and what came is refused by its missing end."""
        query_of(request.url.query, frozenset())
        held = held_by_view(core.view)
        pieces = take_backup(held, core.store, version=version, at=wall())
        first = await anext(pieces)  # before the answer begins, which is cut off by whatever goes wrong later
        return StreamingResponse(
            _joined(first, pieces),
            media_type=CONTENT_TYPE,
            headers={
                "meshway-revision": str(held.revision),
                "content-disposition": f'attachment; filename="meshway-r{held.revision}.backup"',
                "cache-control": "no-store",
            },
        )

    return router


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece

"""GET /v1/about: which Meshway this is, and how it runs."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from registry.api.answers import answer
from registry.manners.openapi import LICENCE
from registry.manners.query import query_of

if TYPE_CHECKING:
    from registry.core import Core

PATH: Final = "/v1/about"
# What a registry is made of, as people ask for when something is amiss.
_PARTS: Final = ("uvloop", "fastapi", "starlette", "msgspec", "SQLAlchemy", "cryptography", "asyncpg", "redis")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """licence: SPDX. parts: versions of what it is made of, by name. store: where it keeps things; leases: where those
    are. revision: the head. keeps_history_s: how long former states of documents are kept; null: for ever."""

    version: str
    licence: str
    python: str
    parts: dict[str, str]
    store: str
    leases: str
    revision: int
    tls: bool
    trusts_loopback: bool
    read_only: bool
    keeps_history_s: float | None
    log_revisions: int
    log_age_s: float


def about_router(core: Core, meshway: str) -> APIRouter:
    """meshway: its version."""
    router, settings = APIRouter(), core.settings
    parts = {name: found for name in _PARTS if (found := _version_of(name))}

    @router.get(PATH)
    async def about(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(
            About(
                version=meshway,
                licence=LICENCE,
                python=platform.python_version(),
                parts=parts,
                store="PostgreSQL" if settings.database_url else "SQLite",
                leases="Redis" if settings.redis_url else "memory",
                revision=core.view.revision,
                tls=settings.tls_certificate is not None,
                trusts_loopback=settings.trusts_loopback,
                read_only=settings.read_only,
                keeps_history_s=settings.history_age_s,
                log_revisions=settings.log_revisions,
                log_age_s=settings.log_age_s,
            )
        )

    return router


def _version_of(name: str) -> str:
    """ "": it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""

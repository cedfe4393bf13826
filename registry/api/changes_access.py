"""Which change a request is about, and what its caller may do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request

from meshway.problem import Problem, not_found
from registry.api.answers import caller_of
from registry.manners.query import revision_of_tag
from registry.proposals.records import Writer
from registry.rights.tokens import makers_of

if TYPE_CHECKING:
    from registry.core import Core
    from registry.proposals.records import Kept
    from registry.rights.roles import Right


def writer_of(core: Core, request: Request) -> Writer:
    caller = caller_of(request)
    name = caller.principal.name
    makers = makers_of(name, core.view.tokens.values()) if caller.token else (name,)
    return Writer(name=name, makers=makers, is_person=bool(caller.session), is_admin=caller.is_admin)


async def readable(core: Core, change: str, request: Request) -> Kept:
    """Raises Problem 404, also for one that touches a namespace the caller may not read."""
    kept = await core.proposals.kept.get(_number(change))
    if not may_read(request, kept):
        raise _unknown(change)
    return kept


async def writable(core: Core, change: str, request: Request) -> Kept:
    """Raises Problem 403, 404."""
    kept = await readable(core, change, request)
    require(request, "documents:write", kept.proposal.parts)
    return kept


def may_read(request: Request, kept: Kept) -> bool:
    """Whether all namespaces that it touches may be read."""
    caller = caller_of(request)
    return all(caller.may("documents:read", part.namespace) for part in kept.proposal.parts)


def require(request: Request, right: Right, keys: Any) -> None:
    """keys: whatever has a `namespace`. Raises Problem 403."""
    for namespace in sorted({key.namespace for key in keys}):
        caller_of(request).require(right, namespace)


def seen(request: Request) -> int | None:
    """The version of the change that the caller has read; None: it did not say."""
    return revision_of_tag(request.headers.get("if-match"))


def _number(change: str) -> int:
    if not (change.isascii() and change.isdigit() and len(change) < 19):
        raise _unknown(change)
    return int(change)


def _unknown(change: str) -> Problem:
    return not_found(f"change {change}", "meshway change list --all, or GET /v1/changes?state=all, lists them")

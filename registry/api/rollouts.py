"""GET /v1/rollouts, …/{namespace}/{name}, and what people may do to a Rollout: promote, hold, abort, skip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.model.rollout import Rollout
from meshway.problem import not_found
from registry.api.answers import answer, caller, caller_of
from registry.manners.json_text import decoder_of
from registry.manners.query import query_of, refuse_bad_names, revision_of_tag
from registry.rollouts.told import RolloutPage, RolloutTold, summary_of, told_of
from registry.rollouts.transitions import ACTIONS, Action
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from registry.core import Core
    from registry.view.rows import DocumentRow

MANY: Final = "/v1/rollouts"
ONE: Final = "/v1/rollouts/{namespace}/{name}"
ACTS: Final[dict[Action, str]] = {action: f"{ONE}/{action}" for action in ACTIONS}


class RolloutAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """reason: told in its time line."""

    reason: Annotated[str, Meta(max_length=300)] = ""


def rollouts_router(core: Core) -> APIRouter:
    router = APIRouter()
    rollouts, decode = core.watching.rollouts, decoder_of(RolloutAsk, "body")

    @router.get(MANY)
    async def many(request: Request) -> Response:
        """Those of one namespace, or of all that may be read."""
        query = query_of(request.url.query, frozenset({"namespace"}))
        wanted, who = query.get("namespace"), caller_of(request)
        if wanted is not None:
            refuse_bad_names(namespace=wanted)
            who.require("documents:read", wanted)
        rows = [
            row for row in rollouts.rows() if wanted in (None, row.key[1]) and who.may("documents:read", row.key[1])
        ]
        items = [
            summary_of(row, rollouts.state(row), rollouts.revision(row), rollouts.troubles.get(row.key, ""))
            for row in rows
        ]
        return answer(RolloutPage(items))

    @router.get(ONE)
    async def one(namespace: str, name: str, request: Request) -> Response:
        """Its steps, each with what was measured, and what happened to it."""
        query_of(request.url.query, frozenset())
        row = _row(core, namespace, name)
        told = await _told(core, row)
        return answer(told, headers={"etag": f'"{told.revision}"'})

    def serve(action: Action) -> None:
        @router.post(ACTS[action])
        async def act(namespace: str, name: str, request: Request) -> Response:
            query_of(request.url.query, frozenset())
            row, body = _row(core, namespace, name), await request.body()
            asked = decode(body) if body.strip() else RolloutAsk()
            seen = revision_of_tag(request.headers.get("if-match"))
            revision = await rollouts.ask(row, action, caller(request), asked.reason, seen)
            told = await _told(core, _row(core, namespace, name))
            return answer(told, revision=revision, headers={"etag": f'"{told.revision}"'})

    for action in ACTIONS:
        serve(action)
    return router


def _row(core: Core, namespace: str, name: str) -> DocumentRow:
    refuse_bad_names(namespace=namespace, name=name)
    row = core.view.document((Rollout.__name__, namespace, name))
    if row is None:
        raise not_found(f"Rollout {namespace}/{name}", "meshway rollout status -A, or GET /v1/rollouts, lists all")
    return row


async def _told(core: Core, row: DocumentRow) -> RolloutTold:
    rollouts = core.watching.rollouts
    state, trouble = rollouts.state(row), rollouts.troubles.get(row.key, "")
    measures = None
    if state is not None and not state.is_over:
        try:
            measures = await rollouts.measures(row, state)
        except StoreUnavailable as error:
            trouble = trouble or f"the numbers of calls cannot be read: {error}"
    return told_of(row, state, rollouts.revision(row), trouble, measures)

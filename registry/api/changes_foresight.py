"""/v1/changes/…/dry-run and …/watch: what a change would do, and what it has done since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.model.decode import decode_spec
from meshway.problem import Problem
from registry.api.answers import answer, caller_of
from registry.api.changes_access import readable
from registry.api.foreseeing import Foreseen, foreseen, rehearsal_span
from registry.api.insight import sight_of
from registry.api.rehearse import rehearse
from registry.documents.document_key import Key
from registry.insight.figures import Figures
from registry.manners.query import query_of
from registry.proposals.parts import Moved
from registry.store.interface import StoreUnavailable
from registry.view.rows import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.document import Spec
    from registry.core import Core
    from registry.gateways import Gateways
    from registry.insight.asking import Asking
    from registry.proposals.records import Part
    from registry.view.rows import DocumentKey

DRY_RUN: Final = "/v1/changes/{change}/dry-run"
WATCH: Final = "/v1/changes/{change}/watch"
WATCHED_S: Final = 300.0


class ChangeForeseen(Foreseen, frozen=True, kw_only=True):
    """A dry run on what is published now. moved: documents that others published since the change was begun; it is
    published once their `revision` is its base."""

    moved: list[Moved] = msgspec.field(default_factory=list)


class ChangeWatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """applied of gateways run it; pending names the others. before, since: calls that the change touches, in the 300 s
    before it and in those since; not told to who may not see numbers. until: seconds since 1970."""

    revision: int
    published_at: str
    until: float
    applied: int
    gateways: int
    pending: list[str]
    before: Figures | None = None
    since: Figures | None = None


def add_foresight(router: APIRouter, core: Core, gateways: Gateways, asking: Asking) -> None:
    proposals = core.proposals

    @router.post(DRY_RUN)
    async def dry_run(change: str, request: Request) -> Response:
        """rehearse: how long back recorded calls are run through today's tables and through those with the change."""
        query = query_of(request.url.query, frozenset({"rehearse"}))
        last_s = rehearsal_span(query)
        if last_s is not None:
            caller_of(request).require_everywhere("calls:explain")
        kept = await readable(core, change, request)
        applied, documents = await proposals.foresee(kept, caller_of(request).principal.name)
        if last_s is not None:
            deleted = [Key(*part.astuple()) for part in kept.proposal.parts if part.text is None]
            rehearsal = await rehearse(core, gateways, [one for one, _ in documents], deleted, last_s)
            applied = msgspec.structs.replace(applied, rehearsal=rehearsal)
        if caller_of(request).may_somewhere("insight:read"):
            applied = await foreseen(applied, documents, asking, sight_of(request))
        members = {name: getattr(applied, name) for name in applied.__struct_fields__}
        return answer(ChangeForeseen(**members, moved=proposals.parts.moved(kept.proposal)), revision=applied.revision)

    @router.get(WATCH)
    async def watch(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        kept = await readable(core, change, request)
        published_at, revision = kept.proposal.published_at, kept.revision
        if revision is None or published_at is None:
            raise Problem(409, "wrong_state", "Not as it is", detail=f"change {kept.number} is not published")
        far = gateways.how_far(revision)
        before = since = None
        if caller_of(request).may_somewhere("insight:read"):
            specs = [pair for part in kept.proposal.parts for pair in _specs_of(part)]
            try:
                before, since = await asking.around(specs, published_at, WATCHED_S, sight_of(request))
            except StoreUnavailable:
                before = since = None  # how far it has come is told all the same
        return answer(
            ChangeWatch(
                revision=revision,
                published_at=time_text(published_at),
                until=published_at + WATCHED_S,
                applied=far.count,
                gateways=far.live,
                pending=list(far.pending),
                before=before,
                since=since,
            )
        )


def _specs_of(part: Part) -> Iterator[tuple[DocumentKey, Spec | None]]:
    """As it was and as it became: calls of both are touched."""
    for plain in (part.base, part.published):
        if plain is not None:
            spec, _ = decode_spec(part.kind, plain.get("spec"))
            yield part.astuple(), spec

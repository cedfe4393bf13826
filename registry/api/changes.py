"""/v1/changes: changes of documents before they are published: written by several, judged, agreed to, published,
watched and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.model.decode import decode_spec
from meshway.problem import Problem, invalid_request, not_found
from registry.api.answers import answer, caller_of, page
from registry.api.foreseeing import Foreseen, foreseen, rehearsal_span
from registry.api.insight import sight_of
from registry.api.rehearse import rehearse
from registry.documents.document_key import Key
from registry.insight.figures import Figures
from registry.manners.json_text import decoder_of
from registry.manners.query import limit_of, number_of, query_of, revision_of_tag
from registry.proposals.parts import Moved, WantedPart
from registry.proposals.records import Message, State, Title, Verdict, Writer
from registry.rights.tokens import makers_of
from registry.store.interface import StoreUnavailable
from registry.view.rows import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.document import Spec
    from registry.core import Core
    from registry.gateways import Gateways
    from registry.insight.asking import Asking
    from registry.proposals.records import Kept, Part
    from registry.rights.roles import Right
    from registry.view.rows import DocumentKey

MANY: Final = "/v1/changes"
ONE: Final = "/v1/changes/{change}"
DRY_RUN: Final = "/v1/changes/{change}/dry-run"
REVIEW: Final = "/v1/changes/{change}/review"
WORDS: Final = "/v1/changes/{change}/words"
PUBLISH: Final = "/v1/changes/{change}/publish"
TAKE_BACK: Final = "/v1/changes/{change}/take-back"
WATCH: Final = "/v1/changes/{change}/watch"
WATCHED_S: Final = 300.0


class ChangeWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants to change. Documents that are left out of an edit are in it no more."""

    title: Title
    documents: tuple[WantedPart, ...]


class WordWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    verdict: Verdict
    text: Message = ""


class PublishWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """waive_approvals: an admin's word instead of others'; told in the history and in the audit log. how: `at_once`
    alone is built."""

    message: Message = ""
    how: Literal["at_once"] = "at_once"
    waive_approvals: bool = False


class ChangeDocument(Key, frozen=True, kw_only=True, omit_defaults=True):
    """text: left out of lists; null: it is deleted. base_revision: of the document it was begun on, 0: none. revision:
    the document's now. is_deleted: told in lists, too."""

    base_revision: int
    revision: int
    is_deleted: bool = False
    text: str | msgspec.UnsetType | None = msgspec.UNSET


class ChangeWord(msgspec.Struct, frozen=True, kw_only=True):
    """counts: it was said of the change as it is now."""

    by: str
    verdict: Verdict
    text: str
    at: str
    counts: bool


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """version: its ETag. approvals_needed, approvals_given: people besides those who wrote it. revision: that it
    became. takes_back: the change that it takes back. approvals_waived: an admin published it without."""

    id: str
    version: int
    state: State
    title: str
    author: str
    editors: list[str]
    created_at: str
    updated_at: str
    documents: list[ChangeDocument]
    words: list[ChangeWord]
    approvals_needed: int
    approvals_given: int
    message: str = ""
    publisher: str = ""
    approvals_waived: bool = False
    published_at: str | None = None
    revision: int | None = None
    takes_back: str | None = None


class ChangePage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Newest first, without texts. next: the change to go on below."""

    items: list[Change]
    next: str | None = None


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


_decode_wanted: Final = decoder_of(ChangeWanted, "")
_decode_word: Final = decoder_of(WordWanted, "")
_decode_publish: Final = decoder_of(PublishWanted, "")


def changes_router(core: Core, gateways: Gateways, asking: Asking) -> APIRouter:
    router = APIRouter()
    _add_keeping(router, core)
    _add_review(router, core)
    _add_publishing(router, core)
    _add_foresight(router, core, gateways, asking)
    return router


def _add_keeping(router: APIRouter, core: Core) -> None:
    proposals = core.proposals

    @router.post(MANY)
    async def create(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_wanted(await request.body())
        _require(request, "documents:write", wanted.documents)
        kept = await proposals.open(wanted.title, wanted.documents, writer_of(core, request))
        return told(core, kept, 201)

    @router.get(MANY)
    async def many(request: Request) -> Response:
        """state: `open`, or `all`."""
        query = query_of(request.url.query, frozenset({"state", "limit", "cursor"}))
        state = query.get("state", "all")
        if state not in ("open", "all"):
            raise invalid_request("query.state: write open or all")
        limit, before = limit_of(query), number_of(query, "cursor", None, low=1)
        shown, last, following = list[Change](), "", None
        async for kept in proposals.kept.newest(before, limit + 1, is_open=state == "open"):
            if limit == 0:
                following = last
            elif _may_read(request, kept):
                shown.append(_shown(core, kept, with_text=False))
            last, limit = str(kept.number), limit - 1
        return page(ChangePage(items=shown, next=following), request)

    @router.get(ONE)
    async def one(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return told(core, await _readable(core, change, request))

    @router.patch(ONE)
    async def edit(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_wanted(await request.body())
        kept = await _readable(core, change, request)
        _require(request, "documents:write", [*wanted.documents, *kept.proposal.parts])
        writer = writer_of(core, request)
        return told(core, await proposals.edit(kept.number, _seen(request), wanted.title, wanted.documents, writer))

    @router.delete(ONE)
    async def delete(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        kept = await _writable(core, change, request)
        await proposals.discard(kept.number, _seen(request))
        return Response(status_code=204)


def _add_review(router: APIRouter, core: Core) -> None:
    proposals = core.proposals

    @router.post(REVIEW)
    async def ask_review(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        kept = await _writable(core, change, request)
        return told(core, await proposals.ask_review(kept.number, _seen(request)))

    @router.post(WORDS)
    async def say(change: str, request: Request) -> Response:
        """Of the version that was read: If-Match keeps an approval from counting for what came since."""
        query_of(request.url.query, frozenset())
        word = _decode_word(await request.body())
        kept = await _writable(core, change, request)
        writer = writer_of(core, request)
        return told(core, await proposals.say(kept.number, _seen(request), word.verdict, word.text, writer))


def _add_publishing(router: APIRouter, core: Core) -> None:
    proposals = core.proposals

    @router.post(PUBLISH)
    async def publish(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_publish(await request.body())
        kept = await _writable(core, change, request)
        done, applied = await proposals.publish(
            kept.number,
            _seen(request),
            wanted.message,
            writer_of(core, request),
            waive=wanted.waive_approvals,
        )
        return told(core, done, revision=applied.revision)

    @router.post(TAKE_BACK)
    async def take_back(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        kept = await _writable(core, change, request)
        return told(core, await proposals.take_back(kept.number, writer_of(core, request)), 201)


def _add_foresight(router: APIRouter, core: Core, gateways: Gateways, asking: Asking) -> None:
    proposals = core.proposals

    @router.post(DRY_RUN)
    async def dry_run(change: str, request: Request) -> Response:
        """rehearse: how long back recorded calls are run through today's tables and through those with the change."""
        query = query_of(request.url.query, frozenset({"rehearse"}))
        last_s = rehearsal_span(query)
        if last_s is not None:
            caller_of(request).require_everywhere("calls:explain")
        kept = await _readable(core, change, request)
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
        kept = await _readable(core, change, request)
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


def told(core: Core, kept: Kept, status: int = 200, *, revision: int | None = None) -> Response:
    """A change with its ETag and its place."""
    headers = {"etag": f'"{kept.version}"'}
    if status in (201, 202):
        headers["location"] = f"{MANY}/{kept.number}"
    return answer(_shown(core, kept, with_text=True), status, revision=revision, headers=headers)


def writer_of(core: Core, request: Request) -> Writer:
    caller = caller_of(request)
    name = caller.principal.name
    makers = makers_of(name, core.view.tokens.values()) if caller.token else (name,)
    return Writer(name=name, makers=makers, is_person=bool(caller.session), is_admin=caller.is_admin)


def _shown(core: Core, kept: Kept, *, with_text: bool) -> Change:
    proposal = kept.proposal
    return Change(
        id=str(kept.number),
        version=kept.version,
        state=kept.state,
        title=proposal.title,
        author=proposal.author,
        editors=list(proposal.editors),
        created_at=time_text(proposal.created_at),
        updated_at=time_text(kept.updated_at),
        documents=[
            ChangeDocument(
                kind=part.kind,
                namespace=part.namespace,
                name=part.name,
                base_revision=part.base_revision,
                revision=core.proposals.parts.revision_of(part.astuple()),
                is_deleted=part.text is None,
                text=part.text if with_text else msgspec.UNSET,
            )
            for part in proposal.parts
        ],
        words=[
            ChangeWord(
                by=word.by,
                verdict=word.verdict,
                text=word.text,
                at=time_text(word.at),
                counts=word.edits == proposal.edits,
            )
            for word in proposal.words
        ],
        approvals_needed=core.proposals.approvals(proposal),
        approvals_given=len(proposal.approvers),
        message=proposal.message,
        publisher=proposal.publisher,
        approvals_waived=proposal.is_waived,
        published_at=None if proposal.published_at is None else time_text(proposal.published_at),
        revision=kept.revision,
        takes_back=None if proposal.takes_back is None else str(proposal.takes_back),
    )


def _specs_of(part: Part) -> Iterator[tuple[DocumentKey, Spec | None]]:
    """As it was and as it became: calls of both are touched."""
    for plain in (part.base, part.published):
        if plain is not None:
            spec, _ = decode_spec(part.kind, plain.get("spec"))
            yield part.astuple(), spec


async def _readable(core: Core, change: str, request: Request) -> Kept:
    """Raises Problem 404, also for one that touches a namespace the caller may not read."""
    kept = await core.proposals.kept.get(_number(change))
    if not _may_read(request, kept):
        raise _unknown(change)
    return kept


async def _writable(core: Core, change: str, request: Request) -> Kept:
    """Raises Problem 403, 404."""
    kept = await _readable(core, change, request)
    _require(request, "documents:write", kept.proposal.parts)
    return kept


def _may_read(request: Request, kept: Kept) -> bool:
    caller = caller_of(request)
    return all(caller.may("documents:read", part.namespace) for part in kept.proposal.parts)


def _require(request: Request, right: Right, keys: Any) -> None:
    for namespace in sorted({key.namespace for key in keys}):
        caller_of(request).require(right, namespace)


def _seen(request: Request) -> int | None:
    return revision_of_tag(request.headers.get("if-match"))


def _number(change: str) -> int:
    if not (change.isascii() and change.isdigit() and len(change) < 19):
        raise _unknown(change)
    return int(change)


def _unknown(change: str) -> Problem:
    return not_found(f"change {change}", "meshway change list --all, or GET /v1/changes?state=all, lists them")

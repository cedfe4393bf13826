"""/v1/changes: changes of documents before they are published: written by several, judged, agreed to, published,
watched and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.problem import invalid_request
from registry.api.answers import page
from registry.api.changes_access import may_read, readable, require, seen, writable, writer_of
from registry.api.changes_foresight import add_foresight
from registry.api.changes_told import MANY, Change, ChangePage, shown, told
from registry.manners.json_text import decoder_of
from registry.manners.query import limit_of, number_of, query_of
from registry.proposals.parts import WantedPart
from registry.proposals.records import Message, Title, Verdict

if TYPE_CHECKING:
    from registry.core import Core
    from registry.gateways import Gateways
    from registry.insight.asking import Asking

ONE: Final = "/v1/changes/{change}"
REVIEW: Final = "/v1/changes/{change}/review"
WORDS: Final = "/v1/changes/{change}/words"
PUBLISH: Final = "/v1/changes/{change}/publish"
TAKE_BACK: Final = "/v1/changes/{change}/take-back"


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


_decode_wanted: Final = decoder_of(ChangeWanted, "")
_decode_word: Final = decoder_of(WordWanted, "")
_decode_publish: Final = decoder_of(PublishWanted, "")


def changes_router(core: Core, gateways: Gateways, asking: Asking) -> APIRouter:
    router = APIRouter()
    _add_keeping(router, core)
    _add_review(router, core)
    _add_publishing(router, core)
    add_foresight(router, core, gateways, asking)
    return router


def _add_keeping(router: APIRouter, core: Core) -> None:
    proposals = core.proposals

    @router.post(MANY)
    async def create(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_wanted(await request.body())
        require(request, "documents:write", wanted.documents)
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
        items, last, following = list[Change](), "", None
        async for kept in proposals.kept.newest(before, limit + 1, is_open=state == "open"):
            if limit == 0:
                following = last
            elif may_read(request, kept):
                items.append(shown(core, kept, with_text=False))
            last, limit = str(kept.number), limit - 1
        return page(ChangePage(items=items, next=following), request)

    @router.get(ONE)
    async def one(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return told(core, await readable(core, change, request))

    @router.patch(ONE)
    async def edit(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_wanted(await request.body())
        kept = await readable(core, change, request)
        require(request, "documents:write", [*wanted.documents, *kept.proposal.parts])
        writer = writer_of(core, request)
        return told(core, await proposals.edit(kept.number, seen(request), wanted.title, wanted.documents, writer))

    @router.delete(ONE)
    async def delete(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        kept = await writable(core, change, request)
        await proposals.discard(kept.number, seen(request))
        return Response(status_code=204)


def _add_review(router: APIRouter, core: Core) -> None:
    proposals = core.proposals

    @router.post(REVIEW)
    async def ask_review(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        kept = await writable(core, change, request)
        return told(core, await proposals.ask_review(kept.number, seen(request)))

    @router.post(WORDS)
    async def say(change: str, request: Request) -> Response:
        """Of the version that was read: If-Match keeps an approval from counting for what came since."""
        query_of(request.url.query, frozenset())
        word = _decode_word(await request.body())
        kept = await writable(core, change, request)
        writer = writer_of(core, request)
        return told(core, await proposals.say(kept.number, seen(request), word.verdict, word.text, writer))


def _add_publishing(router: APIRouter, core: Core) -> None:
    proposals = core.proposals

    @router.post(PUBLISH)
    async def publish(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        wanted = _decode_publish(await request.body())
        kept = await writable(core, change, request)
        done, applied = await proposals.publish(
            kept.number,
            seen(request),
            wanted.message,
            writer_of(core, request),
            waive=wanted.waive_approvals,
        )
        return told(core, done, revision=applied.revision)

    @router.post(TAKE_BACK)
    async def take_back(change: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        kept = await writable(core, change, request)
        return told(core, await proposals.take_back(kept.number, writer_of(core, request)), 201)

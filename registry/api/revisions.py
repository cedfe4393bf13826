"""The history of documents: who changed what when, what lies between two revisions, and back again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.model.kinds import KINDS
from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, invalid_request, not_found
from registry.api.answers import answer, caller, caller_of, once, page
from registry.documents.document_key import Key
from registry.documents.documents import Difference, RevisionEntry
from registry.manners.query import limit_of, number_of, query_of, refuse_bad_names, revision_of_tag
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    from registry.core import Core
    from registry.documents.documents import RevisionPage

MANY: Final = "/v1/revisions"
ONE: Final = "/v1/revisions/{number}"
DIFF: Final = "/v1/revisions/{number}/diff"
DOCUMENTS: Final = "/v1/revisions/{number}/documents"
RESTORE: Final = "/v1/revisions/{number}/restore"
_Told = TypeVar("_Told", RevisionEntry, Difference)


def revisions_router(core: Core) -> APIRouter:
    router = APIRouter()
    documents = core.documents

    @router.get(MANY)
    async def many(request: Request) -> Response:
        """Newest first, of all documents or of one. The cursor is the revision to go on below."""
        query = query_of(request.url.query, frozenset({"limit", "cursor", "kind", "namespace", "name"}))
        before, limit = number_of(query, "cursor", None, low=1), limit_of(query)
        key = _document(query)
        if key is None:
            return page(
                await of_page(_of_page(await documents.revisions(limit=limit, before=before), request)), request
            )
        caller_of(request).require("documents:read", key.namespace)
        return page(await of_page(await documents.revisions_of(key, limit=limit, before=before)), request)

    @router.get(ONE)
    async def one(number: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        entry = _readable(await documents.revision(_number(number)), request)
        if not entry.documents:
            raise not_found(f"revision {_number(number)}", "GET /v1/revisions lists those that changed documents")
        return answer((await with_messages([entry]))[0])

    @router.get(DIFF)
    async def diff(number: str, request: Request) -> Response:
        """To the revision `to`, or to the head."""
        query = query_of(request.url.query, frozenset({"to"}))
        return answer(_readable(await documents.diff(_number(number), number_of(query, "to", None, low=0)), request))

    @router.get(DOCUMENTS)
    async def as_they_were(number: str, request: Request) -> Response:
        """Of one kind or all, and of one namespace or all."""
        query = query_of(request.url.query, frozenset({"limit", "cursor", "kind", "namespace"}))
        kind, namespace = query.get("kind"), query.get("namespace", EVERY_NAMESPACE)
        if kind is not None:
            _refuse_unknown(kind)
        if namespace != EVERY_NAMESPACE:
            refuse_bad_names(namespace=namespace)
            caller_of(request).require("documents:read", namespace)
        found = await documents.list_at(
            _number(number),
            kind,
            namespace,
            readable=caller_of(request).namespaces("documents:read"),
            limit=limit_of(query),
            cursor=query.get("cursor"),
        )
        return page(found, request)

    @router.post(RESTORE)
    async def restore(number: str, request: Request) -> Response:
        """Makes all documents what they were: a new revision, none when nothing differs."""
        query_of(request.url.query, frozenset())
        body = await request.body()
        compared = revision_of_tag(request.headers.get("if-match"))
        applied = await documents.restore(
            _number(number), by=caller(request), if_match=compared, once=once(request, body)
        )
        return answer(applied, revision=applied.revision)

    async def of_page(found: RevisionPage) -> RevisionPage:
        return msgspec.structs.replace(found, items=await with_messages(found.items))

    async def with_messages(entries: list[RevisionEntry]) -> list[RevisionEntry]:
        changes = await core.proposals.kept.of_revisions([entry.revision for entry in entries])
        return [_with_message(entry, changes.get(entry.revision)) for entry in entries]

    return router


def _with_message(entry: RevisionEntry, change: tuple[int, str] | None) -> RevisionEntry:
    if change is None:
        return entry
    return msgspec.structs.replace(entry, change=str(change[0]), message=change[1])


def _readable(told: _Told, request: Request) -> _Told:
    """Without documents of namespaces that the caller may not read."""
    readable = caller_of(request).namespaces("documents:read")
    if readable is None:
        return told
    return msgspec.structs.replace(told, documents=[one for one in told.documents if one.namespace in readable])


def _of_page(page: RevisionPage, request: Request) -> RevisionPage:
    entries = [_readable(entry, request) for entry in page.items]
    return msgspec.structs.replace(page, items=[entry for entry in entries if entry.documents])


def _document(query: dict[str, str]) -> Key | None:
    """kind and name, of namespace `default` unless told; None without them."""
    if not query.keys() & {"kind", "namespace", "name"}:
        return None
    missing = [name for name in ("kind", "name") if name not in query]
    if missing:
        message = f"query.{missing[0]}: is missing: a document has kind and name"
        raise invalid_request(message, (FieldError(path=f"query.{missing[0]}", code="missing", message=message),))
    kind = query["kind"]
    _refuse_unknown(kind)
    return Key(kind, query.get("namespace", "default"), query["name"])


def _refuse_unknown(kind: str) -> None:
    if kind not in KINDS:
        message = f"query.kind: {kind[:100]!r} is not a kind{did_you_mean(kind, KINDS)}"
        raise invalid_request(message, (FieldError(path="query.kind", code="unknown_kind", message=message),))


def _number(text: str) -> int:
    """`812` or `r812`."""
    digits = text.removeprefix("r")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise not_found(f"revision {text}", "revisions are numbers: 812 or r812")
    return int(digits)

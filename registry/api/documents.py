"""Documents, one at a time: PUT, GET, DELETE, and lists per kind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.model.kinds import BY_PLURAL
from meshway.model.nearest import nearest
from meshway.problem import Problem
from registry.api.answers import answer, caller, caller_of, nothing, page, shown
from registry.api.written import read_one
from registry.certificates.status import Statuses
from registry.documents.approvals import Agreement
from registry.documents.document_key import Key
from registry.documents.documents import DocumentPage
from registry.manners.query import limit_of, query_of, refuse_bad_names, revision_of_tag
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    from registry.core import Core
    from registry.gateways import Gateways

ONE: Final = "/v1/namespaces/{namespace}/{plural}/{name}"
MANY: Final = "/v1/namespaces/{namespace}/{plural}"
_PAGING: Final = frozenset({"limit", "cursor"})


def documents_router(core: Core, gateways: Gateways) -> APIRouter:
    router = APIRouter()
    documents = core.documents
    statuses = Statuses(core.view, core.sealing, gateways, time.time)

    @router.put(ONE)
    async def put(namespace: str, plural: str, name: str, request: Request) -> Response:
        """Create or replace: 201 new, 200 known; 412 when If-Match is stale or, with If-None-Match: *, it is there."""
        query_of(request.url.query, frozenset())
        kind = kind_of(plural)
        document, spec = await read_one(request, kind=kind, namespace=namespace, name=name)
        ((document, spec),) = await documents.prepared([(document, spec)])
        stored = await documents.put(
            document,
            spec,
            by=caller(request),
            if_match=_expected(request, Key(kind, namespace, name)),
            create_only=request.headers.get("if-none-match", "").strip() == "*",
            agreement=Agreement(is_admin=caller_of(request).is_admin),
        )
        body = {"warnings": stored.warnings} if stored.warnings else {}
        return answer(
            _members(stored.document) | body,
            201 if stored.result == "created" else 200,
            revision=stored.revision,
            headers={"etag": f'"{stored.document.metadata.revision}"', "meshway-result": stored.result},
        )

    @router.get(ONE)
    async def get(namespace: str, plural: str, name: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        document = documents.get(Key(kind_of(plural), namespace, name))
        revision, told = document.metadata.revision or 0, statuses.beside(document)
        if told is not document:  # what gateways say of it changes without a revision
            return answer(told, headers={"etag": f'"{revision}"'})
        return shown(document, revision, request)

    @router.delete(ONE)
    async def delete(namespace: str, plural: str, name: str, request: Request) -> Response:
        query_of(request.url.query, frozenset())
        key = Key(kind_of(plural), namespace, name)
        agreement = Agreement(is_admin=caller_of(request).is_admin)
        expected = _expected(request, key)
        return nothing(await documents.delete(key, by=caller(request), if_match=expected, agreement=agreement))

    @router.get(MANY)
    async def many(namespace: str, plural: str, request: Request) -> Response:
        """`-` in place of the namespace lists all."""
        query = query_of(request.url.query, _PAGING)
        kind = kind_of(plural)
        if namespace != EVERY_NAMESPACE:
            refuse_bad_names(namespace=namespace)
        readable = caller_of(request).namespaces("documents:read")
        found = documents.list(kind, namespace, readable=readable, limit=limit_of(query), cursor=query.get("cursor"))
        told = DocumentPage(items=[statuses.beside(each) for each in found.items], next=found.next)
        return page(told, request)

    def _expected(request: Request, key: Key) -> int | None:
        """If-Match as a revision. `*` asks that there is one, whichever."""
        if_match = request.headers.get("if-match")
        if if_match is None or if_match.strip() != "*":
            return revision_of_tag(if_match)
        try:
            return documents.get(key).metadata.revision
        except Problem as absent:
            raise Problem(412, "precondition_failed", "It does not exist", detail=absent.detail) from absent

    return router


def _members(document: object) -> dict[str, object]:
    members: dict[str, object] = msgspec.to_builtins(document)
    return members


def kind_of(plural: str) -> str:
    """Raises Problem 404 with the nearest kind."""
    kind = BY_PLURAL.get(plural)
    if kind is None:
        close = nearest(plural, BY_PLURAL)
        raise Problem(
            404,
            "unknown_kind",
            "Not found",
            detail=f"{plural} is no kind of documents",
            mend=f"did you mean {close}?" if close else f"kinds: {', '.join(BY_PLURAL)}",
        )
    return kind

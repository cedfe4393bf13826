"""POST /v1/explain: a gateway tells what would become of a call.

The revisions of the documents it names are added here, and where these were written.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.explanation import EXPLAIN, CallQuestion, Explanation
from meshway.formats.reading import read_all
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import WrittenDocument
from meshway.model.secret import Secret
from meshway.problem import Problem, invalid_document, invalid_request
from registry.api.answers import answer, caller
from registry.manners.json_text import decoder_of
from registry.manners.query import query_of
from registry.view.rows import document_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshway.model.document import Document, Spec
    from registry.core import Core
    from registry.view.view import View

PATH: Final = "/v1/explain"
WAIT_S: Final = 5.0
_decode: Final = decoder_of(CallQuestion, "")

_T = TypeVar("_T")


def explain_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.post(PATH)
    async def explain(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        question = _decode(await request.body())
        drafts = await core.documents.prepared(await asyncio.to_thread(_drafts, question))
        if drafts:  # judged as an apply would be
            await core.documents.apply(drafts, [], by=caller(request), dry_run=True)
        call = msgspec.structs.replace(question, documents=(), gateway=None)
        body = {
            "call": msgspec.to_builtins(call),
            "changes": msgspec.to_builtins(draft_changes(core.view, [one for one, _ in drafts])),
        }
        told = await core.questions.ask(EXPLAIN, body, node=question.gateway or "", wait_s=WAIT_S)
        names = frozenset(one.name for one, _ in drafts)
        return answer(_with_revisions(told_as(Explanation, told), core.view, names))

    return router


def draft_changes(view: View, documents: Iterable[Document]) -> list[dict[str, Any]]:
    """But Secrets, whose contents a draft still has, and which decide about no call that nobody sent."""
    return [_draft_change(view, one) for one in documents if one.kind != Secret.__name__]


def _draft_change(view: View, document: Document) -> dict[str, Any]:
    """A document as the feed would bring it: one that is there keeps its age."""
    metadata = document.metadata
    row = view.document((document.kind, metadata.namespace, metadata.name))
    value = msgspec.msgpack.decode(document_value(document, time.time() if row is None else row.created_at))
    return {
        "op": "put",
        "kind": document.kind,
        "namespace": metadata.namespace,
        "name": metadata.name,
        "value": value,
    }


def _drafts(question: CallQuestion) -> Sequence[tuple[Document, Spec]]:
    written = [WrittenDocument(raw, {}) for raw in question.documents]
    reading = read_all(written, "default", Options())
    if reading.errors:
        raise invalid_document("Invalid documents", tuple(told.error for told in reading.errors))
    return [(one.document, one.spec) for one in reading.documents]


def told_as(kind: type[_T], told: Any) -> _T:
    """A gateway's answer. Raises Problem for what it could not tell."""
    if isinstance(told, dict) and "error" in told:
        raise invalid_request(str(told["error"]))
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:  # a gateway of another version
        detail = f"the gateway's answer cannot be read: {error}"
        raise Problem(502, "bad_answer", "Bad answer", detail=detail) from error


def _with_revisions(told: Explanation, view: View, drafts: frozenset[str]) -> Any:
    plain = msgspec.to_builtins(told)
    _add_revisions(plain, view, drafts)
    return plain


def _add_revisions(plain: Any, view: View, drafts: frozenset[str]) -> None:
    if isinstance(plain, list):
        for each in plain:
            _add_revisions(each, view, drafts)
    elif isinstance(plain, dict):
        for each in plain.values():
            _add_revisions(each, view, drafts)
        kind, _, title = str(plain.get("document", "")).partition(" ")
        namespace, _, name = title.partition("/")
        row = view.document((kind, namespace, name))
        if row is not None and plain["document"] not in drafts:
            plain["revision"] = row.revision
            if (source := row.document.metadata.source) is not None:
                plain |= {"file": source.file, "line": source.line_of(plain.get("path", ""))}

"""A change of documents as it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import Response

from registry.api.answers import answer
from registry.documents.document_key import Key
from registry.proposals.records import State, Verdict
from registry.view.rows import time_text

if TYPE_CHECKING:
    from registry.core import Core
    from registry.proposals.records import Kept

MANY: Final = "/v1/changes"


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


def told(core: Core, kept: Kept, status: int = 200, *, revision: int | None = None) -> Response:
    """A change with its ETag and its place."""
    headers = {"etag": f'"{kept.version}"'}
    if status in (201, 202):
        headers["location"] = f"{MANY}/{kept.number}"
    return answer(shown(core, kept, with_text=True), status, revision=revision, headers=headers)


def shown(core: Core, kept: Kept, *, with_text: bool) -> Change:
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

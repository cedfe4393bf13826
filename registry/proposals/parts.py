"""The documents of a change beside those that are published: what each was begun on, and what became of that since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from meshway.model.document import Label
from meshway.model.kinds import KINDS
from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, Problem, invalid_document
from registry.documents.document_key import Key
from registry.documents.merging import Conflict, merged
from registry.proposals.records import MOST_PARTS, MOST_TEXT, Part, Proposal
from registry.proposals.written import plain_of, read_parts, refuse_unkept, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.model.document import Document
    from registry.view.rows import DocumentKey
    from registry.view.view import View

_Whole = TypeVar("_Whole", bound=dict[str, Any] | None)


class WantedPart(Key, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document of a change as it is written. text: None: it is deleted. base_revision: what it is to be compared
    with: the document's present revision, or that of the draft; None: the draft's or, where it is new in it, now."""

    namespace: Label
    name: Label
    text: str | None
    base_revision: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class Moved(Key, frozen=True, kw_only=True):
    """A document that was published otherwise since the change was begun. merged: with both changes, theirs where they
    conflict; None: it is gone."""

    base_revision: int
    revision: int
    merged: dict[str, Any] | None
    conflicts: list[Conflict]


class Parts:
    """view: what is published."""

    def __init__(self, view: View) -> None:
        self._view = view

    def judged(self, wanted: Sequence[WantedPart], before: dict[DocumentKey, Part]) -> tuple[Part, ...]:
        """Raises Problem 412 for a base that is neither the draft's nor what is published, 413, 422."""
        _refuse_many(wanted)
        parts = []
        for one in wanted:
            key, known = one.astuple(), before.get(one.astuple())
            revision = self.revision_of(key)
            base = one.base_revision
            if base is None:
                base = revision if known is None else known.base_revision
            if known is not None and base == known.base_revision:
                part = msgspec.structs.replace(known, text=one.text)
            elif base == revision:
                part = Part(*key, text=one.text, base_revision=base, base=self._now(key))
            else:
                detail = "{} {}/{}".format(*key) + f" is at revision {revision}, not {base}"
                raise Problem(412, "precondition_failed", "Changed since", detail=detail)
            refuse_unkept(part)
            parts.append(part)
        return tuple(parts)

    def moved(self, proposal: Proposal) -> list[Moved]:
        """Raises Problem 422 for texts that cannot be read."""
        found = []
        for part in proposal.parts:
            revision = self.revision_of(part.astuple())
            if revision != part.base_revision:
                theirs = self._now(part.astuple())
                value, conflicts = merged(_content(part.base), _content(_full(part)), _content(theirs))
                whole = None if value is None else {"apiVersion": "meshway/v1", "kind": part.kind, **value}
                found.append(
                    Moved(
                        kind=part.kind,
                        namespace=part.namespace,
                        name=part.name,
                        base_revision=part.base_revision,
                        revision=revision,
                        merged=whole,
                        conflicts=conflicts,
                    )
                )
        return found

    def _now(self, key: DocumentKey) -> dict[str, Any] | None:
        row = self._view.document(key)
        return None if row is None else plain_document(row.document)

    def revision_of(self, key: DocumentKey) -> int:
        """Of a document as it is published; 0: there is none."""
        row = self._view.document(key)
        return 0 if row is None else row.revision


def key_of(document: Document) -> DocumentKey:
    return (document.kind, document.metadata.namespace, document.metadata.name)


def deleted(proposal: Proposal) -> list[Key]:
    return [Key(*part.astuple()) for part in proposal.parts if part.text is None]


def reversed_part(part: Part, revision: int) -> Part:
    text = None if part.base is None else text_of(part.base)
    base_revision = 0 if part.text is None else revision
    return Part(*part.astuple(), text=text, base_revision=base_revision, base=part.published)


def plain_document(document: Document | None) -> dict[str, Any] | None:
    """As people write it: without what the registry tells of it."""
    if document is None:
        return None
    metadata: dict[str, Any] = {"name": document.metadata.name, "namespace": document.metadata.namespace}
    if document.metadata.labels:
        metadata["labels"] = dict(document.metadata.labels)
    if document.metadata.annotations:
        metadata["annotations"] = dict(document.metadata.annotations)
    plain: dict[str, Any] = msgspec.to_builtins(document.spec)
    return {"apiVersion": document.api_version, "kind": document.kind, "metadata": metadata, "spec": plain}


def _content(whole: _Whole) -> dict[str, Any] | None:
    return None if whole is None else {"metadata": whole.get("metadata", {}), "spec": whole.get("spec", {})}


def _full(part: Part) -> dict[str, Any] | None:
    """What the text says, in the canonical form that bases have: else units written otherwise would be a change."""
    if part.text is None:
        return None
    try:
        ((document, _),) = read_parts([part])
    except Problem:
        return plain_of(part)
    return plain_document(document)


def _refuse_many(wanted: Sequence[WantedPart]) -> None:
    keys = [one.astuple() for one in wanted]
    if not keys or len(keys) > MOST_PARTS:
        message = f"documents: {len(keys)}, a change has 1 to {MOST_PARTS}"
        raise invalid_document("Invalid change", (FieldError(path="documents", code="out_of_bounds", message=message),))
    if unknown := next((one.kind for one in wanted if one.kind not in KINDS), None):
        message = f"documents: {unknown[:100]!r} is not a kind{did_you_mean(unknown, KINDS)}"
        raise invalid_document("Invalid change", (FieldError(path="documents", code="unknown_kind", message=message),))
    if double := next((key for at, key in enumerate(keys) if key in keys[:at]), None):
        message = "{} {}/{} is named twice".format(*double)
        raise invalid_document("Invalid change", (FieldError(path="documents", code="duplicate", message=message),))
    if sum(len(one.text or "") for one in wanted) > MOST_TEXT:
        raise Problem(
            413, "too_large", "Content Too Large", detail=f"a change has at most {MOST_TEXT >> 20} MiB of text"
        )

"""Preconditions of a write: that nothing moved meanwhile, and that nothing is named twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from meshway.problem import FieldError, Problem, invalid_document
from registry.documents.document_key import Guard
from registry.view.rows import DocumentKey, DocumentRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from registry.revisions.draft import Draft


def refuse_doubles(keys: Iterable[DocumentKey]) -> None:
    seen: set[DocumentKey] = set()
    errors = []
    for key in keys:
        if key in seen:
            name = "{} {}/{}".format(*key)
            errors.append(FieldError(document=name, path="", code="duplicate", message=f"{name} is named twice"))
        seen.add(key)
    if errors:
        raise invalid_document("Invalid documents", tuple(errors))


def refuse_stale(row: DocumentRow | None, key: DocumentKey, if_match: int | None) -> None:
    if if_match is None or (row is not None and row.revision == if_match):
        return
    raise stale(row, key, f"is not at revision {if_match}" if row is not None else "does not exist")


def refuse_moved(draft: Draft, guards: Sequence[Guard]) -> None:
    """All documents that are not where their guards say, the first one whole."""
    moved = [
        (draft.document(guard.astuple()), guard)
        for guard in guards
        if guard.revision != _revision_of(draft.document(guard.astuple()))
    ]
    if not moved:
        return
    row, guard = moved[0]
    errors = []
    for other, of in moved:
        name = f"{of.kind} {of.namespace}/{of.name}"
        message = f"{name} is at revision {_revision_of(other)}, not {of.revision}"
        errors.append(FieldError(document=name, path="metadata.revision", code="stale", message=message))
    reason = "does not exist" if row is None else "exists already" if guard.revision == 0 else None
    raise stale(row, guard.astuple(), reason or f"is not at revision {guard.revision}", tuple(errors))


def _revision_of(row: DocumentRow | None) -> int:
    return 0 if row is None else row.revision


def stale(row: DocumentRow | None, key: DocumentKey, reason: str, errors: tuple[FieldError, ...] = ()) -> Problem:
    return Problem(
        412,
        "precondition_failed",
        "Changed since",
        detail="{} {}/{} ".format(*key) + reason + (f" but at {row.revision}" if row is not None else ""),
        errors=errors,
        extra={} if row is None else {"current": msgspec.to_builtins(row.answer())},
        mend="read it again, make the change on what it is now, and send that revision as If-Match",
    )

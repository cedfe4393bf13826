"""What the routes of revisions are, for the API's description."""

from __future__ import annotations

from typing import Any, Final

from meshway.model.kinds import KINDS
from registry.api import revisions
from registry.api.parameters import ONCE, PAGE, PREFER, PROBLEM
from registry.documents.documents import Difference, DocumentPage, RevisionEntry, RevisionPage
from registry.documents.outcomes import Applied
from registry.manners.openapi import Operation, Parameter

_ONE: Final = {"number": "2"}
_KINDS: Final = {"enum": list(KINDS)}


def revision_operations() -> list[Operation]:
    return [
        _get(
            "listRevisions",
            revisions.MANY,
            "Changes of documents, newest first; with kind and name of one document, each with what changed.",
            parameters=(
                *PAGE,
                Parameter(name="kind", about="Of the one document, as in `Route`.", schema=_KINDS),
                Parameter(name="namespace", about="Its namespace; `default` unless told."),
                Parameter(name="name", about="Its name."),
            ),
            answers={200: RevisionPage},
        ),
        _get(
            "getRevision",
            revisions.ONE,
            "Who changed what, and how.",
            answers={200: RevisionEntry, 404: PROBLEM},
            example=_ONE,
        ),
        _get(
            "diffRevisions",
            revisions.DIFF,
            "What lies between two revisions.",
            parameters=(
                Parameter(name="to", about="The other one; the head unless told.", schema={"type": "integer"}),
            ),
            answers={200: Difference, 404: PROBLEM},
            example=_ONE,
        ),
        _get(
            "listDocumentsAtRevision",
            revisions.DOCUMENTS,
            "Documents as they were at a revision.",
            parameters=(
                *PAGE,
                Parameter(name="kind", about="Of one kind, as in `Route`.", schema=_KINDS),
                Parameter(name="namespace", about="Of one namespace; all unless told."),
            ),
            answers={200: DocumentPage, 404: PROBLEM},
            example=_ONE,
        ),
        _restoring(),
    ]


def _get(name: str, path: str, about: str, **more: Any) -> Operation:
    return Operation(
        method="GET", path=path, id=name, tag="revisions", right="documents:read", by_rows=True, about=about, **more
    )


def _restoring() -> Operation:
    return Operation(
        method="POST",
        path=revisions.RESTORE,
        id="restoreRevision",
        tag="revisions",
        right="documents:write",
        about="Make all documents what they were then, as a new revision.",
        parameters=(
            Parameter(
                name="If-Match",
                about="The revision at which it was compared: 412 when a document came, changed or went since.",
                place="header",
            ),
            ONCE,
            PREFER,
        ),
        answers={200: Applied, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
        example=_ONE,
    )

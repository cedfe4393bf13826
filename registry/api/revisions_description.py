"""What the routes of revisions are, for the API's description."""

from __future__ import annotations

from meshway.model.kinds import KINDS
from registry.api import revisions
from registry.api.parameters import ONCE, PAGE, PREFER, PROBLEM
from registry.documents.documents import Difference, DocumentPage, RevisionEntry, RevisionPage
from registry.documents.outcomes import Applied
from registry.manners.openapi import Operation, Parameter


def revision_operations() -> list[Operation]:
    number = {"number": "2"}
    return [
        Operation(
            method="GET",
            path=revisions.MANY,
            id="listRevisions",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="Changes of documents, newest first; with kind and name of one document, each with what changed.",
            parameters=(
                *PAGE,
                Parameter(name="kind", about="Of the one document, as in `Route`.", schema={"enum": list(KINDS)}),
                Parameter(name="namespace", about="Its namespace; `default` unless told."),
                Parameter(name="name", about="Its name."),
            ),
            answers={200: RevisionPage},
        ),
        Operation(
            method="GET",
            path=revisions.ONE,
            id="getRevision",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="Who changed what, and how.",
            answers={200: RevisionEntry, 404: PROBLEM},
            example=number,
        ),
        Operation(
            method="GET",
            path=revisions.DIFF,
            id="diffRevisions",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="What lies between two revisions.",
            parameters=(
                Parameter(name="to", about="The other one; the head unless told.", schema={"type": "integer"}),
            ),
            answers={200: Difference, 404: PROBLEM},
            example=number,
        ),
        Operation(
            method="GET",
            path=revisions.DOCUMENTS,
            id="listDocumentsAtRevision",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="Documents as they were at a revision.",
            parameters=(
                *PAGE,
                Parameter(name="kind", about="Of one kind, as in `Route`.", schema={"enum": list(KINDS)}),
                Parameter(name="namespace", about="Of one namespace; all unless told."),
            ),
            answers={200: DocumentPage, 404: PROBLEM},
            example=number,
        ),
        Operation(
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
            example=number,
        ),
    ]

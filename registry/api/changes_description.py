"""What the routes of changes are, for the description of the API."""

from __future__ import annotations

from typing import Any, Final

from registry.api import changes, changes_foresight, changes_told
from registry.api.parameters import PROBLEM
from registry.manners.openapi import Operation, Parameter

_IF_MATCH: Final = Parameter(name="If-Match", about="Its ETag as it was read: 412 when it changed.", place="header")
_FIRST: Final = {"change": "1"}
_SECOND: Final = {"change": "2"}
_KEY: Final = {"kind": "RateLimit", "namespace": "default", "name": "search"}
_TEXT: Final = """\
apiVersion: meshway/v1
kind: RateLimit
metadata:
  name: search
spec:
  targets: [{service: books}]
  token_bucket: {rate: 50/s}  # what one core can do
"""
_WANTED: Final = {"title": "Limit search", "documents": [_KEY | {"text": _TEXT}]}
_TAKEN_BACK: Final = {"title": "Take back 1", "documents": [_KEY | {"text": None}]}


def changes_operations() -> list[Operation]:
    return [*_keeping(), *_review(), *_publishing()]


def _row(method: str, path: str, name: str, right: Any, about: str, answers: dict[int, Any], **more: Any) -> Operation:
    return Operation(
        method=method,
        path=path,
        id=name,
        tag="changes",
        right=right,
        by_rows=True,
        about=about,
        answers=answers,
        **more,
    )


def _keeping() -> list[Operation]:
    write, read = "documents:write", "documents:read"
    page = (
        Parameter(name="state", about="`open`: those that are not published; `all`.", schema={"enum": ["open", "all"]}),
        Parameter(name="limit", about="Rows a page.", schema={"type": "integer", "minimum": 1, "maximum": 1000}),
        Parameter(name="cursor", about="`next` of the page before."),
    )
    return [
        _row(
            "POST",
            changes_told.MANY,
            "createChange",
            write,
            "Keep a change of documents that is not published yet: a draft, which others may read and write.",
            {201: changes_told.Change, 409: PROBLEM, 412: PROBLEM},
            detail="Texts are kept as they are written, with comments and errors; no Secrets.",
            body=changes.ChangeWanted,
            example_body=_WANTED,
        ),
        _row(
            "GET",
            changes_told.MANY,
            "listChanges",
            read,
            "Drafts, changes in review and published ones, the newest first.",
            {200: changes_told.ChangePage},
            parameters=page,
        ),
        _row(
            "GET",
            changes.ONE,
            "getChange",
            read,
            "A change with its texts.",
            {200: changes_told.Change, 404: PROBLEM},
            example=_FIRST,
        ),
        _row(
            "PATCH",
            changes.ONE,
            "editChange",
            write,
            "Write its title and documents; approvals of what it was count no more.",
            {200: changes_told.Change, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
            detail="A document whose base_revision is what is published now is from then on compared with that.",
            parameters=(_IF_MATCH,),
            body=changes.ChangeWanted,
            example=_SECOND,
            example_body=_TAKEN_BACK,
        ),
        _row(
            "DELETE",
            changes.ONE,
            "deleteChange",
            write,
            "Delete a change that is not published.",
            {204: None, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
            parameters=(_IF_MATCH,),
            example=_SECOND,
        ),
        _row(
            "POST",
            changes_foresight.DRY_RUN,
            "foreseeChange",
            read,
            "What publishing it would change, touch and warn of, and what others published meanwhile.",
            {200: changes_foresight.ChangeForeseen, 404: PROBLEM, 409: PROBLEM},
            parameters=(
                Parameter(name="rehearse", about="Run the recorded calls of so long (`1h`) through it, at most `24h`."),
            ),
            example=_FIRST,
        ),
    ]


def _review() -> list[Operation]:
    return [
        _row(
            "POST",
            changes.REVIEW,
            "reviewChange",
            "documents:write",
            "Ask others to review a draft.",
            {200: changes_told.Change, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
            parameters=(_IF_MATCH,),
            example=_FIRST,
        ),
        _row(
            "POST",
            changes.WORDS,
            "judgeChange",
            "documents:write",
            "Approve or refuse a change in review. Who wrote it cannot, nor can a program.",
            {200: changes_told.Change, 403: PROBLEM, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
            parameters=(_IF_MATCH,),
            body=changes.WordWanted,
            example=_FIRST,
            example_body={"verdict": "approve", "text": "measured it, too"},
        ),
    ]


def _publishing() -> list[Operation]:
    return [
        _row(
            "POST",
            changes.PUBLISH,
            "publishChange",
            "documents:write",
            "Make it a revision, all or nothing.",
            {200: changes_told.Change, 403: PROBLEM, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
            detail="409 needs_approval until so many people agreed as its namespaces ask for; 412 when a document "
            "moved since it was begun. Sent again after a 503 it is published once.",
            parameters=(_IF_MATCH,),
            body=changes.PublishWanted,
            example=_FIRST,
            example_body={"message": "search was slow at noon"},
        ),
        _row(
            "POST",
            changes.TAKE_BACK,
            "takeBackChange",
            "documents:write",
            "A new draft that undoes a published change, and nothing that came since.",
            {201: changes_told.Change, 404: PROBLEM, 409: PROBLEM},
            example=_FIRST,
        ),
        _row(
            "GET",
            changes_foresight.WATCH,
            "watchChange",
            "documents:read",
            "How far a published change has come, and the calls it touches before and since.",
            {200: changes_foresight.ChangeWatch, 404: PROBLEM, 409: PROBLEM},
            example=_FIRST,
        ),
    ]

"""RFC 9457 problem documents: the one form in which a person or a program is told what went wrong.

Raised anywhere below the surfaces; `registry/api`, `registry/machine` and the gateway's admin encode it.
"""

import random
from typing import Any

import msgspec

PROBLEM_BASE = "https://meshway.example/problems/"
CONTENT_TYPE = "application/problem+json"


def soon() -> dict[str, str]:
    """`Retry-After` of one to three seconds: those that were refused together do not come back together."""
    return {"Retry-After": str(random.randint(1, 3))}


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing wrong in what was sent.

    path: from the document's root, `spec.rules[2].retry.max_retries`. line, column: 1-based, when the text is known.
    """

    document: str | None = None
    path: str
    code: str
    message: str
    line: int | None = None
    column: int | None = None


class Problem(Exception):
    """An error with a status, a stable code and, where there is one, the mend.

    code: snake_case; it ends the `type` URI and names a page of the documentation.
    extra: further members of the problem document (RFC 9457 §3.2), e.g. the current document on 412.
    headers: fields of the answer, e.g. `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *,
        detail: str | None = None,
        errors: tuple[FieldError, ...] = (),
        mend: str | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.mend = mend
        self.extra = extra or {}
        self.headers = headers or {}

    def document(self, instance: str | None = None) -> dict[str, Any]:
        """The members of the problem document, ready for JSON. instance: the request id."""
        members: dict[str, Any] = {
            "type": PROBLEM_BASE + self.code,
            "code": self.code,
            "title": self.title,
            "status": self.status,
        }
        if self.detail:
            members["detail"] = self.detail
        if instance:
            members["instance"] = instance
        if self.errors:
            members["errors"] = msgspec.to_builtins(list(self.errors))
        if self.mend:
            members["mend"] = self.mend
        return members | self.extra

    def encode(self, instance: str | None = None) -> bytes:
        return msgspec.json.encode(self.document(instance)) + b"\n"


def invalid_document(title: str, errors: tuple[FieldError, ...]) -> Problem:
    """422 with every error at once (docs/guide/documents.md)."""
    return Problem(422, "invalid_document", title, errors=errors, detail=errors[0].message if errors else None)


def invalid_request(detail: str, errors: tuple[FieldError, ...] = ()) -> Problem:
    """422 for an instance, a batch or a query that breaks a rule."""
    return Problem(422, "invalid_request", "Invalid request", detail=detail, errors=errors)


def not_found(what: str, mend: str | None = None) -> Problem:
    return Problem(404, "not_found", "Not found", detail=f"{what} does not exist", mend=mend)


def internal_problem() -> Problem:
    """500: a fault of ours, whose reason stands in the log and not on the wire."""
    return Problem(500, "internal", "Our own fault", detail="the log has the reason under this request's id")

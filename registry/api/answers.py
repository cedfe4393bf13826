"""What a route gets from a request and gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from meshway.problem import CONTENT_TYPE, Problem
from registry.manners.query import matches, next_link
from registry.manners.repeated import once_of
from registry.revisions.acts import Actor

if TYPE_CHECKING:
    from starlette.requests import Request

    from registry.revisions.draft import Once
    from registry.rights.caller import Caller

_encode: Final = msgspec.json.Encoder().encode


def answer(
    value: object, status: int = 200, *, revision: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """JSON with a newline, for curl at a terminal.

    revision: the one a write took, or the one that is shown; else the head stands in `Meshway-Revision`.
    """
    fields = dict(headers or {})
    if revision is not None:
        fields["meshway-revision"] = str(revision)
    return Response(_encode(value) + b"\n", status, fields, "application/json")


def nothing(revision: int) -> Response:
    return Response(status_code=204, headers={"meshway-revision": str(revision)})


def problem_answer(problem: Problem, request: Request) -> Response:
    return Response(
        problem.encode(request.scope["state"]["request_id"]), problem.status, dict(problem.headers), CONTENT_TYPE
    )


def shown(value: object, revision: int, request: Request) -> Response:
    """A read with its ETag: 304 when the caller has it."""
    headers = {"etag": f'"{revision}"'}
    if matches(request.headers.get("if-none-match"), revision):
        return Response(status_code=304, headers=headers)
    return answer(value, headers=headers)


def page(value: object, request: Request) -> Response:
    link = next_link(request.url.path, request.url.query, getattr(value, "next", None))
    return answer(value, headers={"link": link} if link else None)


def caller_of(request: Request) -> Caller:
    caller: Caller = request.scope["state"]["caller"]
    return caller


def actor_of(request: Request) -> Actor:
    """Who asks for what, for the audit log."""
    state = request.scope["state"]
    return Actor(state["caller"].principal.name, state["peer"], f"{request.method} {request.url.path}")


def caller(request: Request) -> str:
    """The principal's name, as `updated_by` and history show it."""
    return caller_of(request).principal.name


def once(request: Request, body: bytes) -> Once | None:
    return once_of(
        request.headers.get("idempotency-key"),
        caller_of(request).principal,
        method=request.method,
        path=request.url.path,
        query=request.url.query,
        body=body,
    )

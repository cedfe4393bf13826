"""Everything that goes wrong on the API, as problem documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from meshway.model.nearest import nearest
from meshway.problem import Problem
from registry.api.answers import problem_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def handle_problems(app: FastAPI, machine_methods: Callable[[str], set[str]]) -> None:
    """machine_methods: what the machine side serves at a path; those routes belong to the same `Allow`."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_answer(error, request)

    async def unserved(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.scope["path"]
        allowed = machine_methods(path) | _methods(app, request)
        if allowed:
            if "GET" in allowed:
                allowed.add("HEAD")
            listed = ", ".join(method for method in METHODS if method in allowed)
            return problem_answer(
                Problem(
                    405,
                    "method_not_allowed",
                    "Method not allowed",
                    detail=f"{request.method} is not served at {path}; it has {listed}",
                    headers={"Allow": listed},
                ),
                request,
            )
        if error.status_code == 404:
            return problem_answer(_unknown_path(path), request)
        return problem_answer(Problem(error.status_code, "http_error", error.detail), request)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, unserved)


def _methods(app: FastAPI, request: Request) -> set[str]:
    """Of all routes at this path: Starlette's own 405 names those of the first one only."""
    found: set[str] = set()
    for route in app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


def _unknown_path(path: str) -> Problem:
    mend = "GET /openapi.json lists all paths"
    if not path.startswith("/v1/") and (close := nearest(path.strip("/").split("/")[0], ("metrics", "openapi.json"))):
        mend = f"did you mean /{close}?"
    elif not path.startswith("/v1/"):
        mend = f"did you mean /v1{path}?" if path.count("/") > 1 else mend
    return Problem(404, "not_found", "Not found", detail=f"{path} is not served here", mend=mend)

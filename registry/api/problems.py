"""Everything that goes wrong on the API, as problem documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from meshway.model.nearest import nearest
from meshway.problem import Problem, internal_problem, soon
from registry.api.answers import problem_answer
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def handle_problems(app: FastAPI, methods_at: Callable[[str], set[str]]) -> None:
    """methods_at: what is served at a path, the machine routes included: Starlette's own 405 names one route's only."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_answer(error, request)

    async def unserved(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.scope["path"]
        allowed = methods_at(path)
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

    async def storeless(request: Request, error: Exception) -> Response:
        """Of what only the store knows; what the view holds is shown without it."""
        away = Problem(
            503,
            "store_unavailable",
            "The store does not answer",
            detail=str(error),
            mend="repeat the call after Retry-After; GET /v1/health/ready tells when it answers again",
            headers=soon(),
        )
        return problem_answer(away, request)

    async def fault(request: Request, _: Exception) -> Response:  # raised again behind this, and logged there
        return problem_answer(internal_problem(), request)

    app.add_exception_handler(Exception, fault)
    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, unserved)
    app.add_exception_handler(StoreUnavailable, storeless)


def _unknown_path(path: str) -> Problem:
    mend = "GET /openapi.json lists all paths"
    if not path.startswith("/v1/") and (close := nearest(path.strip("/").split("/")[0], ("metrics", "openapi.json"))):
        mend = f"did you mean /{close}?"
    elif not path.startswith("/v1/"):
        mend = f"did you mean /v1{path}?" if path.count("/") > 1 else mend
    return Problem(404, "not_found", "Not found", detail=f"{path} is not served here", mend=mend)

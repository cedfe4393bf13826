"""What a call of the SDK can fail with."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from meshway.problem import FieldError, Problem


class MeshwayError(Exception):
    """The registry refused, or could not be asked. problem: its own words (RFC 9457)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(_text(problem))
        self.problem = problem

    @property
    def line(self) -> str:
        """What went wrong, in one line, for logs."""
        return self.problem.detail or self.problem.title


class NotFound(MeshwayError):
    """404: no such service, instance or document."""


class Conflict(MeshwayError):
    """409 or 412: somebody else was faster, or still needs it."""


class NotAllowed(MeshwayError):
    """401 or 403: not signed in, or not allowed."""


class Unreachable(MeshwayError):
    """The registry did not answer, answered late, or said 502, 503 or 504: asking again later makes sense."""


def error_for(response: httpx.Response) -> MeshwayError:
    """The error of an answer of 400 and above, whose body has been read."""
    problem = problem_of(response)
    match problem.status:
        case 404:
            return NotFound(problem)
        case 409 | 412:
            return Conflict(problem)
        case 401 | 403:
            return NotAllowed(problem)
        case 502 | 503 | 504:
            return Unreachable(problem)
        case _:
            return MeshwayError(problem)


def awaiting_approval(response: httpx.Response) -> Problem | None:
    """Of an apply that others must agree to first (202): it is a change in review, and nothing is published."""
    if response.status_code != 202:
        return None
    change = response.json()
    return Problem(
        409,
        "needs_approval",
        "Others must agree",
        detail=f"not published: it is change {change['id']}, which needs {change['approvals_needed']} to approve",
        mend=f"people approve it (meshway change approve {change['id']}, or the console's /changes/d{change['id']}); "
        f"then meshway change publish {change['id']}",
    )


def unreachable(registry: str, error: Exception) -> Unreachable:
    """For a connection that failed or an answer that did not come."""
    why = "in time" if isinstance(error, httpx.TimeoutException) else f"({error or type(error).__name__})"
    return Unreachable(
        Problem(
            503,
            "registry_unreachable",
            "Registry unreachable",
            detail=f"registry at {registry} does not answer {why}",
            mend="Start it (meshway up) or name another: MESHWAY_URL",
        )
    )


def problem_of(response: httpx.Response) -> Problem:
    """The problem document of an answer; one made up from the status when something else answered than a registry."""
    try:
        members: Any = msgspec.json.decode(response.content)
        errors = tuple(msgspec.convert(members.get("errors", []), list[FieldError]))
        known = {"type", "code", "title", "status", "detail", "errors", "mend", "instance"}
        return Problem(
            response.status_code,
            str(members["code"]),
            str(members["title"]),
            detail=members.get("detail"),
            errors=errors,
            mend=members.get("mend"),
            extra={name: value for name, value in members.items() if name not in known},
        )
    except (msgspec.MsgspecError, AttributeError, KeyError, TypeError):
        return Problem(
            response.status_code,
            "unexpected_answer",
            "Unexpected answer",
            detail=f"{response.request.url} answered {response.status_code} without a problem document",
        )


def _text(problem: Problem) -> str:
    lines = [problem.detail or problem.title]
    lines += [error.message for error in problem.errors if error.message != problem.detail]
    if problem.mend:
        lines.append(f"mend: {problem.mend}")
    return "\n".join(lines)

"""Errors as Consul says them: a status and one line of plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.problem import Problem
from registry.compat.outcomes import in_form
from registry.machine.request import Reply

if TYPE_CHECKING:
    from registry.machine.request import Handler

TEXT: Final = "text/plain; charset=utf-8"


class Refusal(Problem):
    """text: the whole body of the answer."""

    def __init__(self, status: int, text: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, "consul", text, detail=text, headers=headers)


def refusal_reply(problem: Problem) -> Reply:
    # Consul knows no 422: what it does not understand is a bad request.
    status = 400 if problem.status == 422 else problem.status
    lines = "".join(f"{name}: {value}\r\n" for name, value in problem.headers.items())
    return text_reply(status, problem.detail or problem.title, headers=lines.encode("latin-1", "replace"))


def text_reply(status: int, text: str, *, headers: bytes = b"") -> Reply:
    return Reply(status, text.encode("utf-8", "replace"), content_type=TEXT.encode(), headers=headers)


def refusing(handler: Handler) -> Handler:
    """The handler, whose problems are answers in Consul's form."""
    return lambda request: in_form(request, handler, refusal_reply)

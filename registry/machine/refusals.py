"""What a connection itself refuses, before or instead of whoever would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.problem import Problem

if TYPE_CHECKING:
    from meshway.http1.head import HeadError

_TITLES: Final = {400: "Bad Request", 414: "URI Too Long", 431: "Request Header Fields Too Large"}


def not_understood(error: HeadError) -> Problem:
    return Problem(error.status, error.code, _TITLES.get(error.status, "Not understood"), detail=error.detail)


def not_come(what: str) -> Problem:
    """what: head or body."""
    return Problem(408, "request_timeout", "Request Timeout", detail=f"the {what} did not come in time")


def not_confirmed(within_s: float) -> Problem:
    late = f"the write was not confirmed in {within_s:g} s"
    return Problem(503, "timeout", "No answer in time", detail=late)

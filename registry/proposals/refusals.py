"""Why an act on a change is refused: problems as people meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.problem import Problem

if TYPE_CHECKING:
    from registry.proposals.records import Kept


def wrong_state(kept: Kept, mend: str) -> Problem:
    detail = f"change {kept.number} is {kept.state.replace('_', ' ')}"
    return Problem(409, "wrong_state", "Not as it is", detail=detail, mend=mend)


def overtaken(kept: Kept) -> Problem:
    detail = f"change {kept.number} is at version {kept.version}: somebody wrote it meanwhile"
    return Problem(412, "precondition_failed", "Changed since", detail=detail, mend="read it again")


def not_another(detail: str) -> Problem:
    return Problem(409, "not_another_person", "Not allowed", detail=detail)


def needs_approval(number: int, needed: int, given: int) -> Problem:
    detail = f"change {number} needs {needed} to approve besides those who wrote it, {given} did"
    mend = f"POST /v1/changes/{number}/review asks for it"
    return Problem(409, "needs_approval", "Others must agree", detail=detail, mend=mend)

"""What goes wrong on another protocol's surface, said in that protocol's own form."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from meshway.problem import Problem, internal_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.machine.request import Reply, Request

_Now = TypeVar("_Now")

log = logging.getLogger("meshway.registry.compat")


def in_form(
    request: Request,
    handle: Callable[[Request], _Now | asyncio.Future[Reply]],
    refuse: Callable[[Problem], Reply],
) -> _Now | Reply | asyncio.Future[Reply]:
    """The answer of `handle`, now or later; a Problem it ends with becomes what `refuse` makes of it. Never raises."""
    try:
        outcome = handle(request)
    except Exception as error:
        return refuse(_problem_of(request, error))
    if not isinstance(outcome, asyncio.Future):
        return outcome
    answer: asyncio.Future[Reply] = outcome.get_loop().create_future()

    def done(future: asyncio.Future[Reply]) -> None:
        if answer.done():
            return
        if future.cancelled():
            answer.cancel()
        elif (error := future.exception()) is not None:
            answer.set_result(refuse(_problem_of(request, error)))
        else:
            answer.set_result(future.result())

    outcome.add_done_callback(done)
    return answer


def _problem_of(request: Request, error: BaseException) -> Problem:
    if isinstance(error, Problem):
        return error
    log.error("%s %s failed, request %s", request.method, request.path, request.request_id, exc_info=error)
    return internal_problem()


def reason_of(problem: Problem) -> str:
    """One line for a person: what is wrong, and the mend where there is one."""
    text = problem.detail or problem.title
    return f"{text} ({problem.mend})" if problem.mend else text

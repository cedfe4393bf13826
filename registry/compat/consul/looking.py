"""Looking twice before something is said to be unknown.

Behind a balancer a client registers at one registry and updates its check at another, whose view may be some
milliseconds behind; Consul's clients take "unknown" for an answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from registry.compat.consul.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.machine.request import Reply, Request
    from registry.revisions.following import Following

    Writes = Callable[[Request], Reply | asyncio.Future[Reply]]


class Unknown(Refusal):
    """There is no such thing in this registry's view."""


def looking_twice(handler: Writes, following: Following | None) -> Writes:
    """The handler, asked once more at the store's head when it knows nothing of what the caller names.

    following: None where nobody else writes, so that the view is the head.
    """
    if following is None:
        return handler

    def handle(request: Request) -> Reply | asyncio.Future[Reply]:
        try:
            return handler(request)
        except Unknown:
            answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            following.confirm().add_done_callback(lambda _: _ask(handler, request, answer))
            return answer

    return handle


def _ask(handler: Writes, request: Request, answer: asyncio.Future[Reply]) -> None:
    """In a callback: a task would log that something is unknown as its crash."""
    try:
        outcome = handler(request)
    except Exception as error:
        _settle(answer, error)
        return
    if isinstance(outcome, asyncio.Future):
        outcome.add_done_callback(lambda done: _pass_on(done, answer))
    else:
        _settle(answer, outcome)


def _pass_on(done: asyncio.Future[Reply], answer: asyncio.Future[Reply]) -> None:
    if done.cancelled():
        answer.cancel()
    else:
        _settle(answer, done.exception() or done.result())


def _settle(answer: asyncio.Future[Reply], outcome: Reply | BaseException) -> None:
    if answer.done():
        return
    if isinstance(outcome, BaseException):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)

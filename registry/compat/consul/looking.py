"""Looking twice before something is said to be unknown.

Behind a balancer a client registers at one registry and updates its check at another, whose view may be some
milliseconds behind; Consul's clients take "unknown" for an answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshway.tasks import spawn
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
            return spawn(_again(request), name="second look")

    async def _again(request: Request) -> Reply:
        await following.confirm()
        outcome = handler(request)
        return await asyncio.shield(outcome) if isinstance(outcome, asyncio.Future) else outcome

    return handle

"""Renewals: they touch the live state only, so most are answered on the spot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from meshway.problem import Problem
from meshway.tasks import spawn
from registry.machine.request import Reply, Request, answer_when, json_reply, problem_reply
from registry.manners.json_text import decoder_of

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Sequence

    from registry.catalog.catalog import Catalog
    from registry.leases.writes import Renewal
    from registry.machine.confirming import Head

MAX_LEASES: Final = 10_000


class Heartbeats(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Lease ids, as registrations answer them."""

    leases: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_LEASES)]


class HeartbeatRoutes:
    """head: where other registries give out leases too."""

    __slots__ = ("_catalog", "_decode", "_head")

    def __init__(self, catalog: Catalog, head: Head | None = None) -> None:
        self._catalog = catalog
        self._head = head
        self._decode = decoder_of(Heartbeats, "")

    def post(self, request: Request) -> Reply | Future[Reply]:
        leases = self._decode(request.body).leases
        if self._head is not None and self._head.is_news(leases):
            return spawn(self._post_after_a_look(self._head, request, leases), name="heartbeat of a new lease")
        return _answer(self._catalog.heartbeat(leases))

    def put(self, request: Request) -> Reply | Future[Reply]:
        """By the instance's id, for a curl in a shell loop; a body is not asked for."""
        _, _, namespace, _, service, _, instance_id, _ = request.segments
        return _answer(self._catalog.heartbeat_by_id(namespace, service, instance_id))

    async def _post_after_a_look(self, head: Head, request: Request, leases: Sequence[str]) -> Reply:
        if not await head.following.confirm() and head.is_news(leases):
            # Called unknown it would be registered anew, which the store's absence refuses as well.
            return problem_reply(head.behind(), request.request_id)
        try:
            answer = _answer(self._catalog.heartbeat(leases))
            return await answer if isinstance(answer, asyncio.Future) else answer
        except Problem as problem:  # an answer like others, not the crash of a task
            return problem_reply(problem, request.request_id)


def _answer(renewal: Renewal | Future[Renewal]) -> Reply | Future[Reply]:
    if isinstance(renewal, asyncio.Future):
        return answer_when(renewal, json_reply)
    return json_reply(renewal)

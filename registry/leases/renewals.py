"""Renewals: answered when every registry can know of them, and when the store has decided where it must."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from meshway.problem import Problem
from meshway.tasks import spawn
from registry.leases.writes import Renewal, Revive, renewal_of
from registry.live.interface import Renewed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.live.interface import Claimed, Live
    from registry.revisions.draft import Write

_T = TypeVar("_T")


class Renewals:
    """submit: `Revisions.submit`."""

    def __init__(self, live: Live, submit: Callable[[Write[Any]], asyncio.Future[Any]]) -> None:
        self._live = live
        self._submit = submit

    def renew(self, lease_ids: Sequence[str]) -> Renewal | asyncio.Future[Renewal]:
        """A future where other registries must hear of it first, and where a critical instance comes back, which is a
        write. Raises Problem 503, or the future ends with it."""
        renewed = self._live.renew(lease_ids)
        if renewed.written is not None:
            return self._renew_shared(renewed, renewed.written)
        if renewed.critical:
            return self._submit(Revive(renewed, self._live.now()))
        return renewal_of(renewed)

    def _renew_shared(self, renewed: Renewed, written: asyncio.Future[list[Claimed]]) -> asyncio.Future[Renewal]:
        answer: asyncio.Future[Renewal] = written.get_loop().create_future()

        def done(written: asyncio.Future[list[Claimed]]) -> None:
            if answer.done():
                return
            if (refused := written.exception()) is not None:
                answer.set_exception(refused)
            elif (claimed := written.result()) or renewed.critical:
                spawn(self._revive_shared(renewed, claimed, answer), name="revival of leases")
            else:
                answer.set_result(renewal_of(renewed))

        written.add_done_callback(done)
        return answer

    def held(self, written: asyncio.Future[_T], lease_ids: Callable[[_T], Sequence[str]]) -> asyncio.Future[_T]:
        """The answer of a write that is a renewal as well, held until the other registries can know of that.

        lease_ids: of those that go on, from the answer. What is critical by now stays so: it was said after the write.
        """
        answer: asyncio.Future[_T] = written.get_loop().create_future()

        def committed(written: asyncio.Future[_T]) -> None:
            if answer.done():
                return
            try:
                renewed = self._live.renew(lease_ids(written.result()))
            except Problem as problem:
                answer.set_exception(problem)
                return
            if renewed.written is None:
                answer.set_result(written.result())
            else:
                shared = self._renew_shared(msgspec.structs.replace(renewed, critical=[]), renewed.written)
                shared.add_done_callback(told)

        def told(shared: asyncio.Future[Renewal]) -> None:
            if answer.done():
                return
            if (refused := shared.exception()) is not None:
                answer.set_exception(refused)
            else:
                answer.set_result(written.result())

        written.add_done_callback(committed)
        return answer

    async def _revive_shared(self, renewed: Renewed, claims: list[Claimed], answer: asyncio.Future[Renewal]) -> None:
        """Answers when the store has decided, and Redis has heard of those that came back."""
        try:
            mark = self._live.mark
            renewal = await self._decide(renewed, claims)
            again = self._live.renew([lease.lease_id for lease in renewed.critical]).written
            if again is not None and (claims := await again):
                if any(claim.mark > mark for claim in claims):
                    # It may be of the next sweep, not of the one that ended them: the write before may be older.
                    await self._decide(Renewed(0, [], [], []), claims)
                else:
                    await self._live.settle(claims)
        except Problem as problem:
            if not answer.done():
                answer.set_exception(problem)
            return
        if not answer.done():
            answer.set_result(renewal)

    async def _decide(self, renewed: Renewed, claims: list[Claimed]) -> Renewal:
        renewal: Renewal = await self._submit(Revive(renewed, self._live.now(), [claim.lease for claim in claims]))
        if claims:
            await self._live.settle(claims)
        return renewal

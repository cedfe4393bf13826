"""Changes in the store: read, added, and replaced where nobody was faster; each act is told to the audit log first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.problem import Problem, not_found
from registry.proposals.records import Kept, Part, Proposal
from registry.proposals.refusals import overtaken
from registry.revisions.acts import noted
from registry.store.proposals import (
    ProposalRecord,
    add_proposal,
    count_open_proposals,
    list_proposals,
    proposal_of,
    proposal_of_revision,
    read_proposal,
    remove_proposal,
    replace_proposal,
)
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from registry.proposals.records import State, Writer
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store

MOST_OPEN: Final = 1000
_TRIES: Final = 20
_AT_ONCE: Final = 10  # changes read of the store: each may have megabytes of texts
_ABOVE_ALL: Final = 2**62
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Proposal).decode


class KeptProposals:
    """wall: seconds since 1970."""

    def __init__(self, store: Store, revisions: Revisions, wall: Callable[[], float]) -> None:
        self._store = store
        self._revisions = revisions
        self._wall = wall

    async def get(self, number: int) -> Kept:
        """Raises Problem 404."""
        (rows,) = await self._store.do([read_proposal(number)])
        if not rows:
            raise not_found(f"change {number}", "meshway change list --all, or GET /v1/changes?state=all, lists them")
        return _kept(proposal_of(rows[0]))

    async def newest(self, before: int | None, limit: int, *, is_open: bool) -> AsyncIterator[Kept]:
        """The newest first, below `before`; whoever asks for many keeps of each what is wanted."""
        below = before or _ABOVE_ALL
        while limit > 0:
            (rows,) = await self._store.do([list_proposals(below, min(limit, _AT_ONCE), is_open=is_open)])
            for row in rows:
                kept = _kept(proposal_of(row))
                below, limit = kept.number, limit - 1
                yield kept
            if len(rows) < _AT_ONCE:
                return

    async def of_revisions(self, revisions: Sequence[int]) -> dict[int, tuple[int, str]]:
        """Number and message of the changes that became them."""
        found: dict[int, tuple[int, str]] = {}
        for at in range(0, len(revisions), _AT_ONCE):
            asked = [proposal_of_revision(revision) for revision in revisions[at : at + _AT_ONCE]]
            for rows in await self._store.do(asked):
                for kept in map(_kept, map(proposal_of, rows)):
                    if kept.revision is not None:
                        found[kept.revision] = (kept.number, kept.proposal.message)
        return found

    async def add(
        self,
        title: str,
        parts: tuple[Part, ...],
        writer: Writer,
        *,
        state: State = "draft",
        takes_back: int | None = None,
    ) -> Kept:
        now = self._wall()
        proposal = Proposal(
            title=title,
            author=writer.name,
            editors=(writer.name,),
            makers=writer.makers,
            created_at=now,
            parts=parts,
            takes_back=takes_back,
        )
        ((count,),) = (await self._store.do([count_open_proposals()]))[0]
        if count >= MOST_OPEN:
            detail = f"{MOST_OPEN} changes are open: publish or delete some"
            raise Problem(409, "too_many_changes", "Too many changes", detail=detail)
        for _ in range(_TRIES):
            try:
                rows = await self._store.do([add_proposal(state=state, updated_at=now, value=_encode(proposal))])
            except NoRow:
                continue
            number = rows[0][0][0]
            await self._note("open", str(number), title)
            return await self.get(number)
        raise Problem(503, "busy", "Try again", detail="many open changes at once", headers={"Retry-After": "1"})

    async def write(
        self, kept: Kept, proposal: Proposal, state: State, op: str, *, revision: int | None = None
    ) -> Kept:
        """Raises Problem 412 where somebody was faster."""
        await self._note(op, str(kept.number))
        now = self._wall()
        step = replace_proposal(
            kept.number, kept.version, state=state, updated_at=now, revision=revision, value=_encode(proposal)
        )
        try:
            await self._store.do([step])
        except NoRow:
            raise overtaken(await self.get(kept.number)) from None
        return Kept(
            number=kept.number,
            version=kept.version + 1,
            state=state,
            updated_at=now,
            revision=revision,
            proposal=proposal,
        )

    async def remove(self, kept: Kept) -> None:
        """Raises Problem 412 where somebody was faster."""
        await self._note("discard", str(kept.number))
        try:
            await self._store.do([remove_proposal(kept.number, kept.version)])
        except NoRow:
            raise overtaken(kept) from None

    async def _note(self, op: str, number: str, title: str = "") -> None:
        change = {"op": op, "change": number}
        if title:
            change["title"] = title
        if (row := noted(change)) is not None:
            await self._revisions.submit(row)


def _kept(record: ProposalRecord) -> Kept:
    state: Any = record.state
    return Kept(
        number=record.number,
        version=record.version,
        state=state,
        updated_at=record.updated_at,
        revision=record.revision,
        proposal=_decode(record.value),
    )

"""Changes of documents before they are published: kept by the store, written by several, agreed to by others.

Of two who write one the later is told (412). Publishing takes the change first (`publishing`), applies it under a key
of its own, and notes what it became: whoever finds it taken, because a registry fell in between, publishes it again and
gets the same revision.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import Problem
from registry.documents.approvals import Agreement, approvals_of
from registry.documents.document_key import Guard, Key
from registry.documents.outcomes import Applied
from registry.proposals.kept import MOST_OPEN, KeptProposals
from registry.proposals.parts import Parts, WantedPart, deleted, key_of, plain_document, reversed_part
from registry.proposals.records import Kept, Proposal, Word, Writer
from registry.proposals.refusals import needs_approval, not_another, overtaken, wrong_state
from registry.proposals.written import read_parts, text_of
from registry.revisions.draft import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshway.model.document import Document, Spec
    from registry.documents.documents import Documents
    from registry.proposals.records import Verdict
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.view.view import View

_encode: Final = msgspec.msgpack.Encoder().encode


class Proposals:
    """kept: in the store; parts: beside what is published. wall: seconds since 1970."""

    def __init__(
        self, view: View, documents: Documents, revisions: Revisions, store: Store, wall: Callable[[], float]
    ) -> None:
        self._view = view
        self._documents = documents
        self._wall = wall
        self.kept = KeptProposals(store, revisions, wall)
        self.parts = Parts(view)

    async def open(self, title: str, wanted: Sequence[WantedPart], writer: Writer) -> Kept:
        """A draft. Raises Problem 409 where a thousand are open, 412, 413, 422."""
        return await self.kept.add(title, self.parts.judged(wanted, {}), writer)

    async def propose(
        self,
        documents: Sequence[tuple[Document, Spec]],
        delete: Sequence[Key],
        guards: Sequence[Guard],
        writer: Writer,
    ) -> Kept:
        """What somebody wanted to apply, put to review at once; the same again, while that is open, is the same change.

        Raises Problem as `open`.
        """
        seen = {guard.astuple(): guard.revision for guard in guards}
        wanted = [
            WantedPart(kind=key[0], namespace=key[1], name=key[2], text=text, base_revision=seen.get(key))
            for key, text in (
                *((key_of(one), text_of(plain_document(one) or {})) for one, _ in documents),
                *((key.astuple(), None) for key in delete),
            )
        ]
        parts = self.parts.judged(wanted, {})
        async for kept in self.kept.newest(None, MOST_OPEN, is_open=True):
            if (kept.state, kept.proposal.author, kept.proposal.parts) == ("in_review", writer.name, parts):
                return kept
        first = "{} {}/{}".format(*parts[0].astuple())
        title = first if len(parts) == 1 else f"{first} and {len(parts) - 1} more"
        return await self.kept.add(title, parts, writer, state="in_review")

    async def take_back(self, number: int, writer: Writer) -> Kept:
        """A new draft that makes what a published change did undone; what was changed since is merged like any draft
        that others overtook. Raises Problem 404, 409."""
        kept = await self.kept.get(number)
        if kept.state != "published" or kept.revision is None:
            raise wrong_state(kept, "only what is published can be taken back: delete the draft instead")
        done = (part for part in kept.proposal.parts if part.published != part.base)
        parts = tuple(reversed_part(part, kept.revision) for part in done)
        return await self.kept.add(
            f"Take back {kept.number}: {kept.proposal.title}"[:200], parts, writer, takes_back=number
        )

    async def edit(
        self, number: int, seen: int | None, title: str, wanted: Sequence[WantedPart], writer: Writer
    ) -> Kept:
        """seen: its version; None: whichever it has. It is a draft again, and words that were said of it count no more.

        Raises Problem 404, 409, 412, 413, 422.
        """
        kept = await self._open(number, seen)
        before = {part.astuple(): part for part in kept.proposal.parts}
        parts = self.parts.judged(wanted, before)
        proposal = kept.proposal
        changed = msgspec.structs.replace(
            proposal,
            title=title,
            parts=parts,
            editors=_with(proposal.editors, (writer.name,)),
            makers=_with(proposal.makers, writer.makers),
            edits=proposal.edits + (parts != proposal.parts),
        )
        is_same = changed.edits == proposal.edits
        return await self.kept.write(kept, changed, kept.state if is_same else "draft", "edit")

    async def discard(self, number: int, seen: int | None) -> None:
        """Raises Problem 404, 409, 412."""
        kept = await self._open(number, seen)
        await self.kept.remove(kept)

    async def ask_review(self, number: int, seen: int | None) -> Kept:
        """Raises Problem 404, 409, 412, 422."""
        kept = await self._open(number, seen)
        read_parts(kept.proposal.parts)
        return await self.kept.write(kept, kept.proposal, "in_review", "ask_review")

    async def say(self, number: int, seen: int | None, verdict: Verdict, text: str, writer: Writer) -> Kept:
        """In review. Refused, it is a draft again. Raises Problem 404, 409, 412."""
        kept = await self._open(number, seen)
        if kept.state != "in_review":
            raise wrong_state(
                kept, f"its author asks for review first: in the console, or by POST /v1/changes/{kept.number}/review"
            )
        if not writer.is_person:
            raise not_another("a word in review is a person's: sign in")
        if writer.name in kept.proposal.makers:
            raise not_another("who wrote a change cannot review it: author and approver differ")
        word = Word(by=writer.name, verdict=verdict, text=text, at=self._wall(), edits=kept.proposal.edits)
        said = msgspec.structs.replace(kept.proposal, words=(*kept.proposal.words, word))
        return await self.kept.write(kept, said, "in_review" if verdict == "approve" else "draft", verdict)

    async def publish(
        self, number: int, seen: int | None, message: str, writer: Writer, *, waive: bool
    ) -> tuple[Kept, Applied]:
        """waive: an admin's word instead of others' approval. Raises Problem 403, 404, 409 (`needs_approval`,
        `nothing_changes`), 412 for documents that moved, 422, 503; after a 503 it is published by publishing again."""
        kept = await self.kept.get(number)
        if waive and not writer.is_admin:
            raise Problem(403, "forbidden", "Not allowed", detail="an admin alone publishes without approvals")
        if kept.state != "publishing":
            kept = await self._open(number, seen)
            kept = await self._taken(kept, message, writer, waive=waive)
        documents = await self._prepared(kept)
        once = Once(f"change {kept.number} {kept.version}", hashlib.sha256(_encode(kept.proposal.parts)).digest())
        try:
            applied = await self._apply(kept, documents, once=once)
        except Problem as problem:
            if problem.status < 500:
                await self.kept.write(kept, kept.proposal, "draft", "refused")
            raise
        now = {key_of(one): one for one, _ in documents}
        parts = tuple(
            msgspec.structs.replace(part, published=plain_document(now.get(part.astuple())))
            for part in kept.proposal.parts
        )
        done = msgspec.structs.replace(kept.proposal, parts=parts, published_at=self._wall())
        return await self.kept.write(kept, done, "published", "publish", revision=applied.revision), applied

    async def _taken(self, kept: Kept, message: str, writer: Writer, *, waive: bool) -> Kept:
        """Judged first: what is refused stays what it was."""
        taken = msgspec.structs.replace(kept.proposal, message=message, publisher=writer.name, is_waived=waive)
        trial = msgspec.structs.replace(kept, proposal=taken)
        told = await self._apply(trial, await self._prepared(kept), dry_run=True)
        moved = [(one.kind, one.namespace, one.name) for one in told.documents if one.result != "unchanged"]
        if not moved:
            raise Problem(409, "nothing_changes", "Nothing to publish", detail=f"change {kept.number} changes nothing")
        needed, given = approvals_of(moved, self._view), len(taken.approvers)
        if given < needed and not waive:
            raise needs_approval(kept.number, needed, given)
        return await self.kept.write(kept, taken, "publishing", "begin_publish")

    def approvals(self, proposal: Proposal) -> int:
        """How many people besides its makers must agree, as things stand."""
        return approvals_of((part.astuple() for part in proposal.parts), self._view)

    async def foresee(self, kept: Kept, by: str) -> tuple[Applied, list[tuple[Document, Spec]]]:
        """A dry run on what is published now, whatever it was begun on. Raises Problem 409, 422."""
        documents = await self._prepared(kept)
        applied = await self._documents.apply(documents, deleted(kept.proposal), by=by, dry_run=True)
        return applied, documents

    async def _prepared(self, kept: Kept) -> list[tuple[Document, Spec]]:
        return await self._documents.prepared(read_parts(kept.proposal.parts))

    async def _apply(
        self,
        kept: Kept,
        documents: Sequence[tuple[Document, Spec]],
        *,
        dry_run: bool = False,
        once: Once | None = None,
    ) -> Applied:
        proposal = kept.proposal
        return await self._documents.apply(
            documents,
            deleted(proposal),
            by=proposal.publisher,
            guards=[Guard(*part.astuple(), part.base_revision) for part in proposal.parts],
            dry_run=dry_run,
            once=once,
            agreement=Agreement(people=len(proposal.approvers), is_waived=proposal.is_waived),
        )

    async def _open(self, number: int, seen: int | None) -> Kept:
        """One that is not published. Raises Problem 404, 409, 412."""
        kept = await self.kept.get(number)
        if seen is not None and kept.version != seen:
            raise overtaken(kept)
        if kept.state not in ("draft", "in_review"):
            raise wrong_state(kept, "it can be changed no more: open another, or take it back")
        return kept


def _with(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *more)))

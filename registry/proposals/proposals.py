"""Changes of documents before they are published: kept by the store, written by several, agreed to by others.

Of two who write one the later is told (412). Publishing takes the change first (`publishing`), applies it under a key
of its own, and notes what it became: whoever finds it taken, because a registry fell in between, publishes it again and
gets the same revision.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from meshway.model.document import Label
from meshway.model.kinds import KINDS
from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, Problem, invalid_document, not_found
from registry.documents.applying import Applied, Guard, Key
from registry.documents.approvals import Agreement, approvals_of
from registry.documents.merging import Conflict, merged
from registry.proposals.records import MOST_PARTS, MOST_TEXT, Kept, Part, Proposal, Word
from registry.proposals.written import plain_of, read_parts, refuse_unkept, text_of
from registry.revisions.acts import noted
from registry.revisions.draft import Once
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
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from meshway.model.document import Document, Spec
    from registry.documents.documents import Documents
    from registry.proposals.records import State, Verdict
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.view.rows import DocumentKey
    from registry.view.view import View

MOST_OPEN: Final = 1000
_TRIES: Final = 20
_AT_ONCE: Final = 10  # changes read of the store: each may have megabytes of texts
_ABOVE_ALL: Final = 2**62
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Proposal).decode
_Whole = TypeVar("_Whole", bound=dict[str, Any] | None)


class Writer(msgspec.Struct, frozen=True):
    """Who writes. makers: its own name, and where it came by a token who made that, and that one's maker. is_person:
    signed in, and so one whose word counts in review."""

    name: str
    makers: tuple[str, ...]
    is_person: bool
    is_admin: bool


class WantedPart(Key, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document of a change as it is written. text: None: it is deleted. base_revision: what it is to be compared
    with: the document's present revision, or that of the draft; None: the draft's or, where it is new in it, now."""

    namespace: Label
    name: Label
    text: str | None
    base_revision: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class Moved(Key, frozen=True, kw_only=True):
    """A document that was published otherwise since the change was begun. merged: with both changes, theirs where they
    conflict; None: it is gone."""

    base_revision: int
    revision: int
    merged: dict[str, Any] | None
    conflicts: list[Conflict]


class Proposals:
    """wall: seconds since 1970."""

    def __init__(
        self, view: View, documents: Documents, revisions: Revisions, store: Store, wall: Callable[[], float]
    ) -> None:
        self._view = view
        self._documents = documents
        self._revisions = revisions
        self._store = store
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

    async def open(self, title: str, wanted: Sequence[WantedPart], writer: Writer) -> Kept:
        """A draft. Raises Problem 409 where a thousand are open, 412, 413, 422."""
        return await self._add(title, self._parts(wanted, {}), writer)

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
                *((_key_of(one), text_of(_plain(one) or {})) for one, _ in documents),
                *((key.astuple(), None) for key in delete),
            )
        ]
        parts = self._parts(wanted, {})
        async for kept in self.newest(None, MOST_OPEN, is_open=True):
            if (kept.state, kept.proposal.author, kept.proposal.parts) == ("in_review", writer.name, parts):
                return kept
        first = "{} {}/{}".format(*parts[0].astuple())
        title = first if len(parts) == 1 else f"{first} and {len(parts) - 1} more"
        return await self._add(title, parts, writer, state="in_review")

    async def take_back(self, number: int, writer: Writer) -> Kept:
        """A new draft that makes what a published change did undone; what was changed since is merged like any draft
        that others overtook. Raises Problem 404, 409."""
        kept = await self.get(number)
        if kept.state != "published" or kept.revision is None:
            raise _wrong_state(kept, "only what is published can be taken back: delete the draft instead")
        done = (part for part in kept.proposal.parts if part.published != part.base)
        parts = tuple(_reversed(part, kept.revision) for part in done)
        return await self._add(
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
        parts = self._parts(wanted, before)
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
        return await self._write(kept, changed, kept.state if is_same else "draft", "edit")

    async def discard(self, number: int, seen: int | None) -> None:
        """Raises Problem 404, 409, 412."""
        kept = await self._open(number, seen)
        await self._note("discard", str(kept.number))
        try:
            await self._store.do([remove_proposal(number, kept.version)])
        except NoRow:
            raise _moved(kept) from None

    async def ask_review(self, number: int, seen: int | None) -> Kept:
        """Raises Problem 404, 409, 412, 422."""
        kept = await self._open(number, seen)
        read_parts(kept.proposal.parts)
        return await self._write(kept, kept.proposal, "in_review", "ask_review")

    async def say(self, number: int, seen: int | None, verdict: Verdict, text: str, writer: Writer) -> Kept:
        """In review. Refused, it is a draft again. Raises Problem 404, 409, 412."""
        kept = await self._open(number, seen)
        if kept.state != "in_review":
            raise _wrong_state(
                kept, f"its author asks for review first: in the console, or by POST /v1/changes/{kept.number}/review"
            )
        if not writer.is_person:
            raise _not_another("a word in review is a person's: sign in")
        if writer.name in kept.proposal.makers:
            raise _not_another("who wrote a change cannot review it: author and approver differ")
        word = Word(by=writer.name, verdict=verdict, text=text, at=self._wall(), edits=kept.proposal.edits)
        said = msgspec.structs.replace(kept.proposal, words=(*kept.proposal.words, word))
        return await self._write(kept, said, "in_review" if verdict == "approve" else "draft", verdict)

    async def publish(
        self, number: int, seen: int | None, message: str, writer: Writer, *, waive: bool
    ) -> tuple[Kept, Applied]:
        """waive: an admin's word instead of others' approval. Raises Problem 403, 404, 409 (`needs_approval`,
        `nothing_changes`), 412 for documents that moved, 422, 503; after a 503 it is published by publishing again."""
        kept = await self.get(number)
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
                await self._write(kept, kept.proposal, "draft", "refused")
            raise
        now = {_key_of(one): one for one, _ in documents}
        parts = tuple(
            msgspec.structs.replace(part, published=_plain(now.get(part.astuple()))) for part in kept.proposal.parts
        )
        done = msgspec.structs.replace(kept.proposal, parts=parts, published_at=self._wall())
        return await self._write(kept, done, "published", "publish", revision=applied.revision), applied

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
            raise _needs_approval(kept.number, needed, given)
        return await self._write(kept, taken, "publishing", "begin_publish")

    def approvals(self, proposal: Proposal) -> int:
        """How many people besides its makers must agree, as things stand."""
        return approvals_of((part.astuple() for part in proposal.parts), self._view)

    def moved(self, proposal: Proposal) -> list[Moved]:
        """Raises Problem 422 for texts that cannot be read."""
        found = []
        for part in proposal.parts:
            revision = self.revision_of(part.astuple())
            if revision != part.base_revision:
                theirs = self._now(part.astuple())
                value, conflicts = merged(_content(part.base), _content(_full(part)), _content(theirs))
                whole = None if value is None else {"apiVersion": "meshway/v1", "kind": part.kind, **value}
                found.append(
                    Moved(
                        kind=part.kind,
                        namespace=part.namespace,
                        name=part.name,
                        base_revision=part.base_revision,
                        revision=revision,
                        merged=whole,
                        conflicts=conflicts,
                    )
                )
        return found

    async def foresee(self, kept: Kept, by: str) -> tuple[Applied, list[tuple[Document, Spec]]]:
        """A dry run on what is published now, whatever it was begun on. Raises Problem 409, 422."""
        documents = await self._prepared(kept)
        applied = await self._documents.apply(documents, _deleted(kept.proposal), by=by, dry_run=True)
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
            _deleted(proposal),
            by=proposal.publisher,
            guards=[Guard(*part.astuple(), part.base_revision) for part in proposal.parts],
            dry_run=dry_run,
            once=once,
            agreement=Agreement(people=len(proposal.approvers), is_waived=proposal.is_waived),
        )

    async def _open(self, number: int, seen: int | None) -> Kept:
        """One that is not published. Raises Problem 404, 409, 412."""
        kept = await self.get(number)
        if seen is not None and kept.version != seen:
            raise _moved(kept)
        if kept.state not in ("draft", "in_review"):
            raise _wrong_state(kept, "it can be changed no more: open another, or take it back")
        return kept

    async def _add(
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

    async def _write(
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
            raise _moved(await self.get(kept.number)) from None
        return Kept(
            number=kept.number,
            version=kept.version + 1,
            state=state,
            updated_at=now,
            revision=revision,
            proposal=proposal,
        )

    async def _note(self, op: str, number: str, title: str = "") -> None:
        change = {"op": op, "change": number}
        if title:
            change["title"] = title
        if (row := noted(change)) is not None:
            await self._revisions.submit(row)

    def _parts(self, wanted: Sequence[WantedPart], before: dict[DocumentKey, Part]) -> tuple[Part, ...]:
        """Raises Problem 412 for a base that is neither the draft's nor what is published, 413, 422."""
        _refuse_many(wanted)
        parts = []
        for one in wanted:
            key, known = one.astuple(), before.get(one.astuple())
            revision = self.revision_of(key)
            base = one.base_revision
            if base is None:
                base = revision if known is None else known.base_revision
            if known is not None and base == known.base_revision:
                part = msgspec.structs.replace(known, text=one.text)
            elif base == revision:
                part = Part(*key, text=one.text, base_revision=base, base=self._now(key))
            else:
                detail = "{} {}/{}".format(*key) + f" is at revision {revision}, not {base}"
                raise Problem(412, "precondition_failed", "Changed since", detail=detail)
            refuse_unkept(part)
            parts.append(part)
        return tuple(parts)

    def _now(self, key: DocumentKey) -> dict[str, Any] | None:
        row = self._view.document(key)
        return None if row is None else _plain(row.document)

    def revision_of(self, key: DocumentKey) -> int:
        """Of a document as it is published; 0: there is none."""
        row = self._view.document(key)
        return 0 if row is None else row.revision


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


def _key_of(document: Document) -> DocumentKey:
    return (document.kind, document.metadata.namespace, document.metadata.name)


def _deleted(proposal: Proposal) -> list[Key]:
    return [Key(*part.astuple()) for part in proposal.parts if part.text is None]


def _with(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *more)))


def _plain(document: Document | None) -> dict[str, Any] | None:
    """As people write it: without what the registry tells of it."""
    if document is None:
        return None
    metadata: dict[str, Any] = {"name": document.metadata.name, "namespace": document.metadata.namespace}
    if document.metadata.labels:
        metadata["labels"] = dict(document.metadata.labels)
    if document.metadata.annotations:
        metadata["annotations"] = dict(document.metadata.annotations)
    plain: dict[str, Any] = msgspec.to_builtins(document.spec)
    return {"apiVersion": document.api_version, "kind": document.kind, "metadata": metadata, "spec": plain}


def _content(whole: _Whole) -> dict[str, Any] | None:
    return None if whole is None else {"metadata": whole.get("metadata", {}), "spec": whole.get("spec", {})}


def _full(part: Part) -> dict[str, Any] | None:
    """What the text says, in the canonical form that bases have: else units written otherwise would be a change."""
    if part.text is None:
        return None
    try:
        ((document, _),) = read_parts([part])
    except Problem:
        return plain_of(part)
    return _plain(document)


def _reversed(part: Part, revision: int) -> Part:
    text = None if part.base is None else text_of(part.base)
    base_revision = 0 if part.text is None else revision
    return Part(*part.astuple(), text=text, base_revision=base_revision, base=part.published)


def _refuse_many(wanted: Sequence[WantedPart]) -> None:
    keys = [one.astuple() for one in wanted]
    if not keys or len(keys) > MOST_PARTS:
        message = f"documents: {len(keys)}, a change has 1 to {MOST_PARTS}"
        raise invalid_document("Invalid change", (FieldError(path="documents", code="out_of_bounds", message=message),))
    if unknown := next((one.kind for one in wanted if one.kind not in KINDS), None):
        message = f"documents: {unknown[:100]!r} is not a kind{did_you_mean(unknown, KINDS)}"
        raise invalid_document("Invalid change", (FieldError(path="documents", code="unknown_kind", message=message),))
    if double := next((key for at, key in enumerate(keys) if key in keys[:at]), None):
        message = "{} {}/{} is named twice".format(*double)
        raise invalid_document("Invalid change", (FieldError(path="documents", code="duplicate", message=message),))
    if sum(len(one.text or "") for one in wanted) > MOST_TEXT:
        raise Problem(
            413, "too_large", "Content Too Large", detail=f"a change has at most {MOST_TEXT >> 20} MiB of text"
        )


def _wrong_state(kept: Kept, mend: str) -> Problem:
    detail = f"change {kept.number} is {kept.state.replace('_', ' ')}"
    return Problem(409, "wrong_state", "Not as it is", detail=detail, mend=mend)


def _moved(kept: Kept) -> Problem:
    detail = f"change {kept.number} is at version {kept.version}: somebody wrote it meanwhile"
    return Problem(412, "precondition_failed", "Changed since", detail=detail, mend="read it again")


def _not_another(detail: str) -> Problem:
    return Problem(409, "not_another_person", "Not allowed", detail=detail)


def _needs_approval(number: int, needed: int, given: int) -> Problem:
    detail = f"change {number} needs {needed} to approve besides those who wrote it, {given} did"
    mend = f"POST /v1/changes/{number}/review asks for it"
    return Problem(409, "needs_approval", "Others must agree", detail=detail, mend=mend)

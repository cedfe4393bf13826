"""Documents: what is allowed. Every write is a revision that can be read, compared and brought back."""

from __future__ import annotations

from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

import msgspec

from meshway.model.decode import decode_spec
from meshway.model.document import Document, Spec
from meshway.model.kinds import OWN_KINDS
from meshway.model.secret import Secret
from meshway.problem import Problem, not_found
from registry.documents.applying import Apply, Delete, Put, Rehearsal, Written
from registry.documents.approvals import NONE, Agreement
from registry.documents.differences import document_changes
from registry.documents.document_key import Guard, Key
from registry.documents.outcomes import Applied, Outcome, Result, Stored
from registry.documents.passwords import Passwords
from registry.documents.reading import decode_value
from registry.read_only import read_only
from registry.revisions.draft import Once, Repeatable
from registry.store.interface import HistoryForgotten
from registry.view.paging import DEFAULT_LIMIT, page
from registry.view.rows import answered, time_text
from registry.view.view import EVERY_NAMESPACE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    from meshway.sealing import Sealing
    from registry.revisions.revisions import Revisions
    from registry.store.interface import HistoryRecord, Store
    from registry.view.rows import DocumentKey
    from registry.view.view import View


class DocumentPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """next: the cursor of the page after this one."""

    items: list[Document]
    next: str | None = None


class RevisionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One revision that changed documents. changes are told when one revision is asked for. change, message: of the
    change (`/v1/changes`) that it was published as, where it was."""

    revision: int
    at: str
    by: str
    documents: list[Result]
    change: str | msgspec.UnsetType = msgspec.UNSET
    message: str | msgspec.UnsetType = msgspec.UNSET


class RevisionPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Newest first. next: the revision to go on below."""

    items: list[RevisionEntry]
    next: str | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between the documents at two revisions; revision may be the younger one."""

    revision: int
    to: int
    documents: list[Result]


class Documents:
    """Writes give a future that ends after the commit, or raise Problem 503 at once when too many wait."""

    def __init__(
        self, view: View, revisions: Revisions, store: Store, sealing: Sealing | None, *, is_read_only: bool = False
    ) -> None:
        self._view = view
        self._revisions = revisions
        self._store = store
        self._sealing = sealing
        self._is_read_only = is_read_only
        self._passwords = Passwords(view, sealing)

    async def prepared(self, documents: Iterable[tuple[Document, Spec]]) -> list[tuple[Document, Spec]]:
        """What somebody wrote, before it is put or applied: without passwords."""
        return [await self._passwords.hashed(*one) for one in documents]

    def put(
        self,
        document: Document,
        spec: Spec,
        *,
        by: str,
        if_match: int | None = None,
        create_only: bool = False,
        agreement: Agreement = NONE,
    ) -> asyncio.Future[Stored]:
        """document, spec: as `decode_document` gives them. Problem 403, 409, 412 (with the current one), 422."""
        self._refuse_read_only()
        written = Written(document, spec)
        return self._revisions.submit(Put(written, by, if_match, create_only, self._sealing, agreement))

    def delete(
        self, key: Key, *, by: str, if_match: int | None = None, agreement: Agreement = NONE
    ) -> asyncio.Future[int]:
        """Answers the revision. Problem 403, 404, 409 (instances, documents that refer to it), 412."""
        self._refuse_read_only()
        return self._revisions.submit(Delete(key, by, if_match, agreement))

    def apply(
        self,
        documents: Sequence[tuple[Document, Spec]],
        delete: Sequence[Key],
        *,
        by: str,
        guards: Sequence[Guard] = (),
        dry_run: bool = False,
        once: Once | None = None,
        agreement: Agreement = NONE,
    ) -> asyncio.Future[Applied]:
        """One revision, all or nothing, none when nothing changes; 412 when a document is not where its guard says, 409
        `needs_approval` where others must agree.

        A dry run judges and changes nothing.
        """
        write = Apply([Written(*one) for one in documents], delete, by, guards, self._sealing, agreement)
        if once is not None and self._sealing is not None and any(isinstance(spec, Secret) for _, spec in documents):
            # A plain digest of a body with a password lets whoever has the store try passwords.
            once = Once(once.key, self._sealing.mark(once.fingerprint))
        if dry_run:
            return self._revisions.submit(Rehearsal(write))
        self._refuse_read_only()
        return self._revisions.submit(write if once is None else Repeatable(write, once, Applied))

    def get(self, key: Key) -> Document:
        """metadata.revision is its ETag. Raises Problem 404."""
        row = self._view.document(key.astuple())
        if row is None:
            raise not_found(f"{key.kind} {key.namespace}/{key.name}")
        return row.answer()

    def list(
        self,
        kind: str,
        namespace: str,
        *,
        readable: frozenset[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> DocumentPage:
        """In order of namespace and name; namespace `-`: every one that is readable, None: all are."""
        rows = self._view.documents.get(kind, {})
        keys = sorted(
            key for key in rows if namespace in (EVERY_NAMESPACE, key[0]) and (readable is None or key[0] in readable)
        )
        found, following = page(keys, lambda key: key, limit=limit, cursor=cursor)
        return DocumentPage(items=[rows[key].answer() for key in found], next=following)

    async def list_at(
        self,
        revision: int,
        kind: str | None,
        namespace: str,
        *,
        readable: frozenset[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> DocumentPage:
        """As `list`, as they were at a revision; kind None: of every one. Raises Problem 404 for one beyond reach."""
        self._refuse_future(revision)
        records = [
            record
            for record in await self._records(revision)
            if record.value is not None
            and kind in (None, record.kind)
            and namespace in (EVERY_NAMESPACE, record.namespace)
            and (readable is None or record.namespace in readable)
        ]
        found, following = page(sorted(records, key=_key_of), _key_of, limit=limit, cursor=cursor)
        return DocumentPage(items=[_as_it_was(record) for record in found], next=following)

    async def revisions(self, *, limit: int = DEFAULT_LIMIT, before: int | None = None) -> RevisionPage:
        """before: show what is older than this revision."""
        bound = self._view.revision + 1 if before is None else before
        records = await self._store.history(bound, limit + 1)
        entries = [
            _entry([*of_revision], [_outline(record) for record in of_revision])
            for of_revision in (tuple(group) for _, group in groupby(records, lambda record: record.revision))
        ]
        if len(entries) <= limit:
            return RevisionPage(items=entries)
        return RevisionPage(items=entries[:limit], next=str(entries[limit - 1].revision))

    async def revisions_of(self, key: Key, *, limit: int = DEFAULT_LIMIT, before: int | None = None) -> RevisionPage:
        """Those that changed one document, each with what it changed. Empty for one that never was."""
        bound = self._view.revision + 1 if before is None else before
        records = await self._store.history_of_document(key.astuple(), bound, limit + 1)
        states = [None if record.value is None else decode_value(record.value) for record in records]
        entries = [
            _entry([record], [_outline(record) if earlier is None else _result(key.astuple(), earlier, state)])
            for record, state, earlier in zip_longest(records, states, states[1:])
        ]
        if len(entries) <= limit:
            return RevisionPage(items=entries)
        return RevisionPage(items=entries[:limit], next=str(entries[limit - 1].revision))

    async def revision(self, number: int) -> RevisionEntry:
        """With the changes of each document, as far back as is known. Raises Problem 404 for one that changed none."""
        records = await self._store.history_of(number)
        if not records:
            raise not_found(f"revision {number}", "GET /v1/revisions lists those that changed documents")
        try:
            before, after = _documents(await self._store.documents_at(number - 1)), _documents(records)
        except HistoryForgotten:
            return _entry(records, [_outline(record) for record in records])
        keys = [_key_of(record) for record in records]
        return _entry(records, [_result(key, before.get(key), after.get(key)) for key in keys])

    async def diff(self, number: int, to: int | None = None) -> Difference:
        """From `number` to `to` (the head). Raises Problem 404 for a revision beyond the head."""
        end = self._view.revision if to is None else to
        self._refuse_future(max(number, end))
        before, after = await self._state(number), await self._state(end)
        results = [
            _result(key, before.get(key), after.get(key))
            for key in sorted(before.keys() | after.keys())
            if before.get(key) is not after.get(key)
        ]
        return Difference(
            revision=number, to=end, documents=[result for result in results if result.result != "unchanged"]
        )

    async def restore(self, number: int, *, by: str, if_match: int | None = None, once: Once | None = None) -> Applied:
        """All documents as they were at a revision, as a new one. Raises what an apply of them raises.

        What the registry itself writes stays: a certificate that was revoked since is revoked.

        if_match: the revision at which the caller compared; 412 when any document has come, changed or gone since.
        """
        self._refuse_future(max(number, if_match or 0))
        wanted = {key: document for key, document in (await self._state(number)).items() if key[0] not in OWN_KINDS}
        known = None if if_match is None else await self._records(if_match)
        documents = [_read_again(key, document) for key, document in wanted.items()]
        now = [(kind, *key) for kind, rows in self._view.documents.items() if kind not in OWN_KINDS for key in rows]
        delete = [Key(*key) for key in now if key not in wanted]
        guards: list[Guard] = []
        if known is not None:
            revisions = {_key_of(record): record.revision for record in known if record.kind not in OWN_KINDS}
            guards = [Guard(*key, revisions.get(key, 0)) for key in {*revisions, *wanted, *now}]
        return await self.apply(documents, delete, by=by, guards=guards, once=once)

    def _refuse_read_only(self) -> None:
        if self._is_read_only:
            raise read_only()

    async def _state(self, revision: int) -> dict[DocumentKey, Document]:
        return _documents(await self._records(revision))

    async def _records(self, revision: int) -> Sequence[HistoryRecord]:
        """Raises Problem 404 for a revision that the history no longer reaches."""
        try:
            return await self._store.documents_at(revision)
        except HistoryForgotten as forgotten:
            detail = f"what documents were is kept from revision {forgotten.args[0]} on"
            raise not_found(f"revision {revision}", detail) from forgotten

    def _refuse_future(self, number: int) -> None:
        if number > self._view.revision:
            raise not_found(f"revision {number}", f"the head is {self._view.revision}")


def _documents(records: Iterable[HistoryRecord]) -> dict[DocumentKey, Document]:
    return {_key_of(record): decode_value(record.value) for record in records if record.value is not None}


def _key_of(record: HistoryRecord) -> DocumentKey:
    return (record.kind, record.namespace, record.name)


def _as_it_was(record: HistoryRecord) -> Document:
    assert record.value is not None
    document = decode_value(record.value)
    return answered(document, record.revision, document.metadata.created_at, time_text(record.at), record.by)


def _entry(records: Sequence[HistoryRecord], results: Sequence[Result]) -> RevisionEntry:
    first = records[0]
    return RevisionEntry(revision=first.revision, at=time_text(first.at), by=first.by, documents=[*results])


def _outline(record: HistoryRecord) -> Result:
    """Without looking at the state before: what was made at this moment carries it as its beginning."""
    document = None if record.value is None else decode_value(record.value)
    if document is None:
        outcome: Outcome = "deleted"
    else:
        outcome = "created" if document.metadata.created_at == time_text(record.at) else "changed"
    return Result(
        kind=record.kind,
        namespace=record.namespace,
        name=record.name,
        result=outcome,
        source=msgspec.UNSET if document is None else _source_of(document),
    )


def _result(key: DocumentKey, before: Document | None, after: Document | None) -> Result:
    kind, namespace, name = key
    if after is None:
        return Result(kind=kind, namespace=namespace, name=name, result="deleted")
    source = _source_of(after)
    if before is None:
        return Result(kind=kind, namespace=namespace, name=name, result="created", source=source)
    changes = document_changes(before, after)
    outcome: Outcome = "changed" if changes else "unchanged"
    return Result(kind=kind, namespace=namespace, name=name, result=outcome, changes=changes, source=source)


def _source_of(document: Document) -> str | msgspec.UnsetType:
    source = document.metadata.source
    return msgspec.UNSET if source is None else source.place


def _read_again(key: DocumentKey, document: Document) -> tuple[Document, Spec]:
    """What was valid then may be refused by a later version."""
    spec, errors = decode_spec(key[0], document.spec)
    if spec is None:
        raise Problem(422, "invalid_document", f"Invalid {key[0]}", detail=errors[0].message, errors=tuple(errors))
    metadata = msgspec.structs.replace(document.metadata, created_at=None)
    return msgspec.structs.replace(document, metadata=metadata), spec

"""The writes of documents: put, delete, apply, judged with what they refer to and what they may collide with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from meshway.model.certificate import Certificate
from meshway.model.document import Document, Spec
from meshway.model.secret import Secret
from meshway.problem import FieldError, Problem, invalid_document, not_found
from meshway.rehearsal import Rehearsal as RecordedRehearsal
from registry.documents.approvals import NONE, WAIVED, Agreement, approvals_of, refuse_unapproved
from registry.documents.cautions import Caution, bereft_services, cautions
from registry.documents.certified import Certified, certified, rival_certificates
from registry.documents.claims import claim_text, claims, rivals
from registry.documents.differences import ValueChange, document_changes
from registry.documents.host_owners import misplaced_hosts
from registry.documents.references import Hints, dangling, fault_of, references, targets_of
from registry.documents.rollouts import faults, gone_back
from registry.documents.sealed import settled
from registry.revisions.draft import Apart
from registry.view.rows import DocumentKey, DocumentRow, document_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from meshway.sealing import Sealing
    from registry.revisions.draft import Draft

# What a row costs in memory and log beyond its spec, about.
_ROW_BYTES: Final = 2048
_MAX_NAMED: Final = 10
_REFERRED_TO: Final = frozenset({"Service", "Route", "IpList", "Secret", "Listener", "DescriptorSet"})

Outcome = Literal["created", "changed", "unchanged", "deleted"]


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a document."""

    kind: str
    namespace: str
    name: str

    def astuple(self) -> DocumentKey:
        return (self.kind, self.namespace, self.name)


class Guard(Key, frozen=True, forbid_unknown_fields=True):
    """The revision a document must still have when it is written; 0: it must not be there."""

    revision: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document. source: `shop/cart.yaml:12`, told by histories of what was published from a file."""

    kind: str
    namespace: str
    name: str
    result: Outcome
    changes: list[ValueChange] = []
    source: str | msgspec.UnsetType = msgspec.UNSET


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """revision: the new one; the head when nothing changed, or on a dry run. rehearsal: where one was asked for."""

    revision: int
    documents: list[Result]
    warnings: list[Caution] = []
    rehearsal: RecordedRehearsal | msgspec.UnsetType = msgspec.UNSET


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """document: as people read it. revision: the document's."""

    document: Document
    result: Literal["created", "changed", "unchanged"]
    revision: int
    warnings: list[Caution] = []


class Written(msgspec.Struct, frozen=True):
    """A document that passed the decoder."""

    document: Document
    spec: Spec


class Apply(msgspec.Struct, Apart, frozen=True):
    """Some documents put and some deleted, all or nothing. Raises Problem 409, 412 or 422 with every error.

    sealing: what Secrets among them are sealed by. agreement: who agreed to it, where others must. rollout: the Rollout
    that writes, whose own the weights of its rule are.
    """

    documents: Sequence[Written]
    delete: Sequence[Key]
    by: str
    guards: Sequence[Guard] = ()
    sealing: Sealing | None = None
    agreement: Agreement = NONE
    rollout: DocumentKey | None = None

    @property
    def size(self) -> int:
        return _ROW_BYTES * (len(self.documents) + len(self.delete))

    def judge(self, draft: Draft) -> Applied:
        _refuse_moved(draft, self.guards)
        before = _Before(draft)
        _refuse_doubles(self.documents, self.delete)
        results = [_put(draft, written, self.by, before, self.sealing) for written in self.documents]
        results += [_delete(draft, key, self.by, before) for key in self.delete]
        if self.rollout is None:  # it was agreed to with the Rollout
            refuse_unapproved(before.moved(draft), before, self.agreement)
        back = list(gone_back(draft, before.rows, self.by))
        results += [_put(draft, Written(*route), self.by, before, self.sealing) for route in back]
        _check(draft, before, self.rollout)
        changed = [*before.changed(draft)]
        judged = certified(changed, draft, self.sealing)
        _refuse_unfit(changed, judged, draft, self.sealing)
        warnings = [*cautions(changed, draft), *_of_certificates(judged, draft.at)]
        warnings += [*bereft_services(map(Key.astuple, self.delete), draft)]
        revision = draft.revision if draft.has_changes else draft.revision - 1
        return Applied(revision=revision, documents=results, warnings=warnings)


class Rehearsal(msgspec.Struct, Apart, frozen=True):
    """A dry run of an apply, in its turn among the writes: nothing moves while it is judged. It changes nothing."""

    write: Apply

    @property
    def size(self) -> int:
        return self.write.size

    def judge(self, draft: Draft) -> Applied:
        """Whether others must agree is told, and stands in the way of publishing alone."""
        applied = draft.rehearse(msgspec.structs.replace(self.write, agreement=WAIVED))
        moved = [(one.kind, one.namespace, one.name) for one in applied.documents if one.result != "unchanged"]
        warnings = applied.warnings
        if needed := approvals_of(moved, draft):
            named = "{} {}/{}".format(*next(key for key in moved if approvals_of([key], draft) == needed))
            message = f"{needed} must approve besides the author before it is published"
            warnings = [*warnings, Caution(document=named, path="", code="needs_approval", message=message)]
        return msgspec.structs.replace(applied, revision=draft.view.revision, warnings=warnings)


class Put(msgspec.Struct, frozen=True):
    """One document. if_match: the revision it must have; create_only: it must not be there. Raises 409, 412, 422."""

    written: Written
    by: str
    if_match: int | None = None
    create_only: bool = False
    sealing: Sealing | None = None
    agreement: Agreement = NONE

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> Stored:
        key = key_of(self.written.document)
        row = draft.document(key)
        _refuse_stale(row, key, self.if_match)
        if self.create_only and row is not None:
            raise _stale(row, key, "exists already")
        applied = Apply([self.written], [], self.by, sealing=self.sealing, agreement=self.agreement).judge(draft)
        row = draft.document(key)
        result = applied.documents[0].result
        assert row is not None
        assert result != "deleted"
        return Stored(document=row.answer(), result=result, revision=row.revision, warnings=applied.warnings)


class Delete(msgspec.Struct, frozen=True):
    """One document. Raises Problem 404, 409, 412; answers the revision."""

    key: Key
    by: str
    if_match: int | None = None
    agreement: Agreement = NONE

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> int:
        key = self.key.astuple()
        row = draft.document(key)
        _refuse_stale(row, key, self.if_match)
        if row is None:
            raise not_found("{} {}/{}".format(*key))
        return Apply([], [self.key], self.by, agreement=self.agreement).judge(draft).revision


class _Before:
    """The documents a write touched, as they were before it."""

    __slots__ = ("_draft", "rows")

    def __init__(self, draft: Draft) -> None:
        self.rows: dict[DocumentKey, DocumentRow | None] = {}
        self._draft = draft

    def remember(self, key: DocumentKey) -> DocumentRow | None:
        row = self.rows[key] = self._draft.document(key)
        return row

    def document(self, key: DocumentKey) -> DocumentRow | None:
        """As it was before the write."""
        return self.rows[key] if key in self.rows else self._draft.document(key)

    def moved(self, draft: Draft) -> list[DocumentKey]:
        """The touched ones that differ now, those that are gone among them."""
        return [key for key, before in self.rows.items() if draft.document(key) is not before]

    def changed(self, draft: Draft) -> Iterator[DocumentRow]:
        """The touched ones that are there now and differ."""
        for key, before in self.rows.items():
            after = draft.document(key)
            if after is not None and after is not before:
                yield after


def key_of(document: Document) -> DocumentKey:
    return (document.kind, document.metadata.namespace, document.metadata.name)


def _put(draft: Draft, written: Written, by: str, touched: _Before, sealing: Sealing | None) -> Result:
    document, spec, sealed = written.document, written.spec, b""
    key = kind, namespace, name = key_of(document)
    before = touched.remember(key)
    if isinstance(spec, Secret):
        document, spec, sealed = settled(document, spec, before, sealing, draft.at)
    elif isinstance(spec, Certificate) and spec.mesh_ca is not None and before is not None:
        sealed = before.sealed  # serves until it is issued anew for what is written
    changes = document_changes(None if before is None else before.document, document)
    if before is not None and not changes:
        return Result(kind=kind, namespace=namespace, name=name, result="unchanged")
    created_at = draft.at if before is None else before.created_at
    draft.put_document(
        DocumentRow(
            document=document,
            spec=spec,
            revision=draft.revision,
            created_at=created_at,
            updated_at=draft.at,
            updated_by=by,
            value=document_value(document, created_at),
            references=references(spec, namespace),
            claims=claims(spec, namespace, name),
            sealed=sealed,
        )
    )
    if before is None:
        return Result(kind=kind, namespace=namespace, name=name, result="created")
    return Result(kind=kind, namespace=namespace, name=name, result="changed", changes=changes)


def _delete(draft: Draft, key: Key, by: str, touched: _Before) -> Result:
    """Gone already is as good as deleted: an apply may be repeated. A Service's instances stay: they made it no less
    than its document, and a document is what can be taken back."""
    before = touched.remember(key.astuple())
    if before is None:
        return Result(kind=key.kind, namespace=key.namespace, name=key.name, result="unchanged")
    draft.remove_document(before, by=by)
    return Result(kind=key.kind, namespace=key.namespace, name=key.name, result="deleted")


def _check(draft: Draft, touched: _Before, rollout: DocumentKey | None) -> None:
    """Every reference of what changed, every reference to what changed, every claim: all errors at once."""
    changed = list(touched.changed(draft))
    hints = Hints(draft)
    errors = [error for row in changed for error in _own_errors(row, draft, hints)]
    errors += [_error(*fault) for fault in faults(draft, touched.rows, rollout)]
    if errors:
        what = changed[0].document.kind if len(changed) == 1 else "documents"
        raise invalid_document(f"Invalid {what}", tuple(errors))
    _refuse_orphans(draft, touched, {row.key for row in changed}, hints)


def _refuse_unfit(
    changed: Sequence[DocumentRow], judged: Sequence[Certified], draft: Draft, sealing: Sealing | None
) -> None:
    errors = [_error(each.row, *error) for each in judged for error in each.errors()]
    shown = {row.key: row for row in (*changed, *(each.row for each in judged))}
    errors += [_error(*found) for found in misplaced_hosts(shown.values(), draft, sealing)]
    rivals_found = rival_certificates(changed, judged, draft, sealing)
    errors += [_error(row, "spec.hosts", "conflict", reason) for row, reason in rivals_found]
    if errors:
        of = {error.document for error in errors}
        what = str(errors[0].document).partition(" ")[0] if len(of) == 1 else "documents"
        raise invalid_document(f"Invalid {what}", tuple(errors))


def _of_certificates(judged: Sequence[Certified], wall_s: float) -> Iterator[Caution]:
    """wall_s: now, seconds since 1970."""
    for each in judged:
        for path, code, reason in each.cautions(wall_s):
            yield Caution(document=each.row.document.name, path=path, code=code, message=f"{path}: {reason}")


def _own_errors(row: DocumentRow, draft: Draft, hints: Hints) -> Iterator[FieldError]:
    for reference in row.references:
        if reason := dangling(reference, draft, hints):
            yield _error(row, reference.path, fault_of(reference, draft), reason)
    named: set[DocumentKey] = set()
    for rival in (rival for claim in sorted(row.claims) for rival in rivals(claim)):
        # One that stands in the way is told; of a host's thousand Routes not each.
        other = next((key for key in draft.holders(rival) if key != row.key), None)
        if other is not None and other not in named:
            named.add(other)
            yield _error(row, "spec", "conflict", "{} {}/{} has {}".format(*other, claim_text(rival)))


def _refuse_orphans(draft: Draft, touched: _Before, judged: Collection[DocumentKey], hints: Hints) -> None:
    """What was sound before must not lead nowhere after: a subset taken away, a Route deleted. judged: documents whose
    own references were looked at; one that was written unchanged is none of them.
    """
    keys = {
        key
        for key, row in touched.rows.items()
        if key[0] in _REFERRED_TO and row is not None and draft.document(key) is not row
    }
    if not keys:
        return
    orphans = [
        _error(row, reference.path, fault_of(reference, draft), reason)
        for row in draft.all_documents()
        if row.references and row.key not in judged
        for reference in row.references
        # Ports may come from instances, which come and go on their own.
        if reference.to != "port"
        and not keys.isdisjoint(targets_of(reference))
        and (reason := dangling(reference, draft, hints))
    ]
    if orphans:
        raise Problem(
            409,
            "in_use",
            "Still referred to",
            detail=f"{orphans[0].document} would refer to nothing: {orphans[0].message}",
            errors=tuple(orphans[:_MAX_NAMED]),
            mend="change these documents in the same apply",
        )


def _refuse_doubles(documents: Sequence[Written], delete: Sequence[Key]) -> None:
    seen: set[DocumentKey] = set()
    errors = []
    for key in [*(key_of(written.document) for written in documents), *(key.astuple() for key in delete)]:
        if key in seen:
            name = "{} {}/{}".format(*key)
            errors.append(FieldError(document=name, path="", code="duplicate", message=f"{name} is named twice"))
        seen.add(key)
    if errors:
        raise invalid_document("Invalid documents", tuple(errors))


def _refuse_stale(row: DocumentRow | None, key: DocumentKey, if_match: int | None) -> None:
    if if_match is None or (row is not None and row.revision == if_match):
        return
    raise _stale(row, key, f"is not at revision {if_match}" if row is not None else "does not exist")


def _refuse_moved(draft: Draft, guards: Sequence[Guard]) -> None:
    """All documents that are not where their guards say, the first one whole."""
    moved = [
        (draft.document(guard.astuple()), guard)
        for guard in guards
        if guard.revision != _revision_of(draft.document(guard.astuple()))
    ]
    if not moved:
        return
    row, guard = moved[0]
    errors = []
    for other, of in moved:
        name = f"{of.kind} {of.namespace}/{of.name}"
        message = f"{name} is at revision {_revision_of(other)}, not {of.revision}"
        errors.append(FieldError(document=name, path="metadata.revision", code="stale", message=message))
    reason = "does not exist" if row is None else "exists already" if guard.revision == 0 else None
    raise _stale(row, guard.astuple(), reason or f"is not at revision {guard.revision}", tuple(errors))


def _revision_of(row: DocumentRow | None) -> int:
    return 0 if row is None else row.revision


def _stale(row: DocumentRow | None, key: DocumentKey, reason: str, errors: tuple[FieldError, ...] = ()) -> Problem:
    return Problem(
        412,
        "precondition_failed",
        "Changed since",
        detail="{} {}/{} ".format(*key) + reason + (f" but at {row.revision}" if row is not None else ""),
        errors=errors,
        extra={} if row is None else {"current": msgspec.to_builtins(row.answer())},
        mend="read it again, make the change on what it is now, and send that revision as If-Match",
    )


def _error(row: DocumentRow, path: str, code: str, reason: str) -> FieldError:
    return FieldError(document=row.document.name, path=path, code=code, message=f"{path}: {reason}")
